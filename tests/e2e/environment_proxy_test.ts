/** The proxy that an agent's environment names, with the agent as users run it. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { closeRequest } from "../../src/wire/packet.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { startConnectProxy } from "../support/fakes/fake_connect_proxy.ts";
import { startFakeServer } from "../support/fakes/fake_proxy_server.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import {
  type TestCertificates,
  testCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import {
  commandOf,
  httpGet,
  isForeign,
  launcherOf,
  startAgent as startProcess,
} from "../support/processes/processes.ts";

/** No name server knows it (RFC 6761 section 6.4): only the proxy can lead to it. */
const serverName = "server.invalid";

const text = (value: string) => new TextEncoder().encode(value);

/** Certificates with which a server is `server.invalid`, and flags of an agent of it. */
async function world(): Promise<
  & { certificates: TestCertificates; flags: (host: string, port: number, ...more: string[]) => string[]; ca: string }
  & AsyncDisposable
> {
  const made = await testCertificates();
  const server = await issueLeaf(made.ca, {
    commonName: "server",
    usages: ["server"],
    names: [serverName, "localhost"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
  const certificates = { ...made, server };
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-proxy-" });
  const files = await writeTestCertificates(folder, certificates);
  return {
    certificates,
    ca: files.caCert,
    flags: (host, port, ...more) => [
      `--ca-cert=${files.caCert}`,
      `--agent-cert=${files.clientCert}`,
      `--agent-key=${files.clientKey}`,
      `--proxy-server-host=${host}`,
      `--proxy-server-port=${port}`,
      "--sync-interval=100ms",
      "--sync-interval-cap=200ms",
      ...more,
    ],
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** What this process has in its environment counts for nothing. */
const none = { HTTPS_PROXY: "", https_proxy: "", NO_PROXY: "", no_proxy: "" };

/** An agent behind its launcher, under the permissions of its flags and of these variables. */
async function startAgent(
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
  command?: readonly string[],
) {
  return await startProcess(flags, { ...none, ...env }, command ?? await launcherOf("agent"));
}

/** A port on every address of this machine that counts who comes, and says nothing. */
async function countingPort(): Promise<{ readonly port: number; readonly accepted: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket)).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", () => resolve()));
  const address = server.address();
  return {
    port: address === null || typeof address === "string" ? 0 : address.port,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

const user = "http://me:pass-w%6Frd@127.0.0.1";
const secret = /pass-w(o|%6F)rd|bWU6cGFzcy13b3Jk/i;

for (const direct of [false, true]) {
  const how = direct ? "a direct link" : "a link over gRPC";

  leakTest(
    `${how} goes through the proxy of HTTPS_PROXY, which alone knows the server's name`,
    async () => {
      await using lab = await world();
      const { ca, server: own } = lab.certificates;
      await using server = await startFakeServer({
        direct,
        tls: { ca: ca.certPem, cert: own.certPem, key: own.keyPem },
      });
      await using proxy = await startConnectProxy({ targets: { [`${serverName}:${server.port}`]: server.port } });
      await using echo = await echoDestination();
      await using agent = await startAgent(
        lab.flags(serverName, server.port),
        { HTTPS_PROXY: `${user}:${proxy.port}`, NO_PROXY: "127.0.0.0/8,other.invalid" },
      );
      await agent.ready();
      assert.equal(proxy.requests[0]?.authority, `${serverName}:${server.port}`);
      assert.equal(proxy.users[0], `Basic ${btoa("me:pass-word")}`);
      // Destinations are dialled, not proxied.
      const link = await server.link();
      const asked = proxy.requests.length;
      assert.equal(await link.dial(echo.address, 1n), 1);
      link.stream.sendData(1, text("x".repeat(200_000)));
      await until("the echo has come back", () => link.bytesOf(1) === 200_000);
      assert.ok(proxy.requests.slice(asked).every(({ authority }) => authority.startsWith(serverName)));
      // A link that the proxy cuts is made anew, through the proxy again.
      proxy.cut();
      await until("the agent is linked again", () => server.links.length > 1 && server.up.length > 0);
      await agent.ready();
      assert.doesNotMatch(agent.program.log, secret);
      if (!isForeign("agent")) {
        assert.match(agent.program.log, new RegExp(`through proxy http://127\\.0\\.0\\.1:${proxy.port}`));
      }
    },
  );
}

/** A server that could be dialled: this machine, by an address that is not a loopback one. */
const reachable = "0.0.0.0";

leakTest("without HTTPS_PROXY, and for what NO_PROXY names, a server is dialled", async () => {
  await using lab = await world();
  await using port = await countingPort();
  await using proxy = await startConnectProxy({ targets: {} });
  let before = 0;
  for (
    const env of [
      {},
      { HTTP_PROXY: `${user}:${proxy.port}`, ALL_PROXY: `${user}:${proxy.port}` },
      { HTTPS_PROXY: `${user}:${proxy.port}`, NO_PROXY: `a.example, ${reachable}` },
    ]
  ) {
    await using _agent = await startAgent(lab.flags(reachable, port.port), env);
    await until("the server is dialled", () => port.accepted > before);
    before = port.accepted;
  }
  assert.equal(proxy.accepted, 0);
});

leakTest("with a proxy that refuses, or none there, an agent is not ready and dials nobody else", async () => {
  await using lab = await world();
  await using port = await countingPort();
  await using proxy = await startConnectProxy({
    targets: (client) => void client.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"),
  });
  {
    await using agent = await startAgent(
      lab.flags(reachable, port.port),
      { https_proxy: `${user}:${proxy.port}` },
    );
    await until("the proxy has been asked again and again", () => proxy.requests.length >= 3);
    assert.notEqual((await httpGet(agent.healthPort, "/readyz")).status, 200);
    assert.deepEqual(new Set(proxy.requests.map(({ authority }) => authority)), new Set([`${reachable}:${port.port}`]));
    if (!isForeign("agent")) {
      const answered = `proxy http://127.0.0.1:${proxy.port} answered 407 Proxy Authentication Required`;
      await until("the log says what the proxy answered", () => agent.program.log.includes(answered));
    }
    assert.doesNotMatch(agent.program.log, secret);
  }
  await proxy[Symbol.asyncDispose]();
  {
    await using agent = await startAgent(
      lab.flags(reachable, port.port),
      { HTTPS_PROXY: `${user}:${proxy.port}` },
    );
    const refused = isForeign("agent") ? "connect" : `proxy http://127.0.0.1:${proxy.port} cannot be connected to`;
    await until("the log says that there is no proxy", () => agent.program.log.includes(refused));
    assert.notEqual((await httpGet(agent.healthPort, "/readyz")).status, 200);
    assert.doesNotMatch(agent.program.log, secret);
  }
  assert.equal(port.accepted, 0);
});

if (!isForeign("agent")) {
  leakTest("a link goes through an https:// proxy whose certificate the runtime's roots know", async () => {
    await using lab = await world();
    const { ca, server: own } = lab.certificates;
    const tls = { cert: own.certPem, key: own.keyPem };
    await using server = await startFakeServer({ direct: true, tls: { ...tls, ca: ca.certPem } });
    await using proxy = await startConnectProxy({ targets: { [`${serverName}:${server.port}`]: server.port }, tls });
    await using echo = await echoDestination();
    // The launchers drop DENO_CERT; without them the runtime asks for newer versions of itself, through the proxy too.
    const env = {
      HTTPS_PROXY: `https://me@localhost:${proxy.port}`,
      DENO_CERT: lab.ca,
      DENO_NO_UPDATE_CHECK: "1",
    };
    await using agent = await startAgent(lab.flags(serverName, server.port), env, await commandOf("agent"));
    await agent.ready();
    const link = await server.link();
    assert.equal(await link.dial(echo.address, 1n), 1);
    link.stream.sendData(1, text("x".repeat(2_000_000)));
    await until("the echo has come back", () => link.bytesOf(1) === 2_000_000);
    link.stream.sendPacket(closeRequest(1));
  });

  leakTest("an agent whose sandbox knows its destinations may dial the proxy, in place of the server", async () => {
    await using lab = await world();
    const { ca, server: own } = lab.certificates;
    await using server = await startFakeServer({ tls: { ca: ca.certPem, cert: own.certPem, key: own.keyPem } });
    await using proxy = await startConnectProxy({ targets: { [`${serverName}:${server.port}`]: server.port } });
    await using echo = await echoDestination();
    await using agent = await startAgent(
      lab.flags(serverName, server.port, `--destinations=${echo.address}`),
      { HTTPS_PROXY: `${user}:${proxy.port}` },
    );
    await agent.ready();
    const link = await server.link();
    assert.equal(await link.dial(echo.address, 1n), 1);
    link.stream.sendPacket(closeRequest(1));
  });

  leakTest("an agent does not start with a proxy that it cannot use, and says which variable names it", async () => {
    await using lab = await world();
    const env = { https_proxy: "socks5://me:pass-word@127.0.0.1:1080" };
    await assert.rejects(startAgent(lab.flags(reachable, 1), env), (error: Error) => {
      assert.match(
        error.message,
        /https_proxy must be a URL that starts with http:\/\/ or https:\/\/, not with socks5/,
      );
      assert.doesNotMatch(error.message, secret);
      return true;
    });
  });
}
