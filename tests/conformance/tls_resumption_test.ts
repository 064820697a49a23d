import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type AddressInfo, connect, createServer } from "node:net";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { Launched } from "../support/processes/launched.ts";
import { Stack } from "../support/in_process/stack.ts";
import {
  makeTestCertificates,
  type TestCertificates,
  writeTestCertificates,
} from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { goTest } from "./go_peers.ts";
import { type Attempt, ResumingClient, type Spoken } from "./resuming_client.ts";

/** A TLS listener of a server, as a client sees it. */
interface Port {
  readonly port: number;
  readonly speaks: Spoken;
  /** What gets a client in; absent: it asks for no certificate. */
  readonly certificate?: { readonly cert: string; readonly key: string };
}

const versions = ["1.2", "1.3"] as const;

/** Certificates of one authority as files, in a folder of their own. */
async function authority(stack: Stack, name: string): Promise<TestCertificates & { readonly files: Files }> {
  const certificates = await makeTestCertificates(name);
  const dir = `${stack.dir}/${name}`;
  await Deno.mkdir(dir);
  return { ...certificates, files: await writeTestCertificates(dir, certificates) };
}

type Files = Awaited<ReturnType<typeof writeTestCertificates>>;

/**
 * Every TLS listener that there is, in one process: they share what tickets are made with. Those for clients and those
 * for agents trust different authorities.
 */
async function listeners(stack: Stack, http2: string): Promise<Readonly<Record<string, Port>>> {
  const clients = await authority(stack, "clients");
  const agents = await authority(stack, "agents");
  const flags = [
    `--http2=${http2}`,
    `--server-ca-cert=${clients.files.caCert}`,
    `--cluster-ca-cert=${agents.files.caCert}`,
  ];
  const grpc = await stack.server("grpc-tls", ...flags);
  const connectTls = await stack.server("connect-tls", ...flags, "--link-protocol=grpc");
  const open = await stack.server(
    "grpc-uds",
    `--http2=${http2}`,
    "--cluster-ca-cert=",
    "--allow-unauthenticated-agents",
  );
  const client = { cert: clients.files.clientCert, key: clients.files.clientKey };
  const agent = { cert: agents.files.clientCert, key: agents.files.clientKey };
  return {
    "frontend gRPC": { port: grpc.port, speaks: "http2", certificate: client },
    "frontend HTTP CONNECT": { port: connectTls.port, speaks: "HTTP CONNECT", certificate: client },
    "agents by HTTP/2": { port: grpc.agentPort, speaks: "http2", certificate: agent },
    "agents by direct link": { port: grpc.agentPort, speaks: "direct link", certificate: agent },
    "agents by HTTP/2 alone": { port: connectTls.agentPort, speaks: "http2", certificate: agent },
    "agents without certificates": { port: open.agentPort, speaks: "http2" },
    "direct links without certificates": { port: open.agentPort, speaks: "direct link" },
  };
}

for (const http2 of ["own", "runtime"]) {
  goTest(`--http2=${http2}: a session of one listener gets nobody into another, nor back into its own`, async () => {
    await using stack = await Stack.open();
    await using client = await ResumingClient.start();
    const ports = await listeners(stack, http2);
    for (const version of versions) {
      for (const [from, first] of Object.entries(ports)) {
        const cache = `${http2} ${version} ${from}`;
        // Stubborn: it has the session of its first connection for good.
        const taken = await client.attempt({ ...first, cache, stubborn: true, version });
        assert.deepEqual([taken.served, taken.resumed, taken.version], [true, false, version], from);
        for (const [to, { port, speaks, certificate }] of Object.entries(ports)) {
          const stranger = await client.attempt({ port, speaks, cache, stubborn: true, version });
          // Where nobody needs a certificate a session proves nothing, and is of use.
          const free = certificate === undefined;
          assert.equal(stranger.served, free, `${from} -> ${to}, TLS ${version}: ${JSON.stringify(stranger)}`);
          if (free) assert.equal(stranger.resumed, true, "the client really resumes");
        }
      }
    }
  });

  goTest(
    `--http2=${http2}: a client with a certificate that resumes comes in, at once where it knows both versions`,
    async () => {
      await using stack = await Stack.open();
      await using client = await ResumingClient.start();
      for (const [name, port] of Object.entries(await listeners(stack, http2))) {
        for (let visit = 0; visit < 6; visit++) {
          const seen = await client.attempt({ ...port, cache: `both ${name}` });
          assert.equal(seen.served, true, `${name}, visit ${visit}: ${JSON.stringify(seen)}`);
        }
        for (const version of versions) {
          const attempt = { ...port, cache: `${version} ${name}`, version };
          assert.equal((await client.attempt(attempt)).served, true);
          // It forgets the session at the alert that it gets for it.
          for (let visit = 0; visit < 3; visit++) {
            const refused = await client.attempt(attempt);
            if (refused.served) continue;
            assert.match(refused.error, /handshake failure/);
            assert.equal((await client.attempt(attempt)).served, true, `${name}, TLS ${version}: ${refused.error}`);
          }
        }
      }
    },
  );
}

goTest("a client whose first message is cut in pieces resumes nothing either", async () => {
  await using stack = await Stack.open();
  await using client = await ResumingClient.start();
  const ports = await listeners(stack, "own");
  for (const version of versions) {
    for (const from of ["agents without certificates", "frontend gRPC"]) {
      const cache = `cut ${version} ${from}`;
      const first = ports[from];
      assert.ok(first !== undefined);
      assert.equal((await client.attempt({ ...first, cache, stubborn: true, version })).served, true);
      for (const [name, { port, speaks, certificate }] of Object.entries(ports)) {
        // The former are more records than are read for what the client offers, so that only the last check is left.
        for (const bytes of [5, 100]) {
          await using cut = await cutRecords(port, bytes);
          const seen = await client.attempt({ port: cut.port, speaks, cache, stubborn: true, version });
          assert.equal(seen.served, certificate === undefined, `${name}, TLS ${version}: ${JSON.stringify(seen)}`);
          if (certificate === undefined) assert.equal(seen.resumed, true, "the client really resumes");
        }
      }
    }
  }
});

goTest("a session from before a CA was removed, or its certificate's end, gets nobody in", async () => {
  await using stack = await Stack.open();
  await using client = await ResumingClient.start();
  const own = await authority(stack, "rotated");
  const ends = new Date(Date.now() + 8_000);
  const brief = await issueLeaf(own.ca, {
    commonName: "brief",
    usages: ["client"],
    keyKind: "p-256",
    validity: { notBefore: new Date(Date.now() - 3_600_000), notAfter: ends },
  });
  const certificate = { cert: `${stack.dir}/brief.crt`, key: `${stack.dir}/brief.key` };
  await Deno.writeTextFile(certificate.cert, brief.certPem);
  await Deno.writeTextFile(certificate.key, brief.keyPem);
  const flags = [`--server-ca-cert=${own.files.caCert}`, `--cluster-ca-cert=${own.files.caCert}`];
  const grpc = await stack.server("grpc-tls", ...flags);
  const http = await stack.server("connect-tls", ...flags);
  const ports: readonly Port[] = [
    { port: grpc.port, speaks: "http2" },
    { port: grpc.agentPort, speaks: "direct link" },
    { port: http.port, speaks: "HTTP CONNECT" },
  ];
  const lasting = { cert: own.files.clientCert, key: own.files.clientKey };
  const each = async (held: typeof lasting, body: (attempt: Attempt) => Promise<void>) => {
    for (const version of versions) {
      for (const [at, port] of ports.entries()) {
        const cache = `${held.cert} ${version} ${at}`;
        await body({ ...port, certificate: held, cache, stubborn: true, version });
      }
    }
  };
  const served = async (attempt: Attempt) => assert.equal((await client.attempt(attempt)).served, true);
  const refused = async (attempt: Attempt) => assert.equal((await client.attempt(attempt)).served, false);
  await each(certificate, served);
  await each(lasting, served);
  await until("the certificate has expired", () => Date.now() > ends.getTime());
  await each(certificate, refused);
  // The authority goes, and another comes.
  const next = await makeTestCertificates("next");
  await writeTestCertificates(`${stack.dir}/rotated`, next);
  const fresh = { cert: `${stack.dir}/next.crt`, key: `${stack.dir}/next.key` };
  await Deno.writeTextFile(fresh.cert, next.client.certPem);
  await Deno.writeTextFile(fresh.key, next.client.keyPem);
  for (const port of ports) {
    await until("the next authority is in use", async () => {
      return (await client.attempt({ ...port, certificate: fresh, cache: crypto.randomUUID() })).served;
    });
  }
  const old = { cert: `${stack.dir}/old.crt`, key: `${stack.dir}/old.key` };
  await Deno.writeTextFile(old.cert, own.client.certPem);
  await Deno.writeTextFile(old.key, own.client.keyPem);
  for (const version of versions) {
    for (const [at, port] of ports.entries()) {
      await refused({ ...port, certificate: old, cache: `${lasting.cert} ${version} ${at}`, stubborn: true, version });
    }
  }
});

goTest("with workers a session of an open agent port gets nobody into the frontend either", async () => {
  await using launched = await Launched.start("connect-tls", {
    serverFlags: ["--workers=2", "--cluster-ca-cert=", "--allow-unauthenticated-agents"],
  });
  await using client = await ResumingClient.start();
  const { clientCert: cert, clientKey: key } = launched.certificates;
  const open = { port: launched.server.agentPort, speaks: "direct link" } as const;
  const guarded = { port: launched.port, speaks: "HTTP CONNECT" } as const;
  for (const version of versions) {
    // A connection is dealt to either worker, and each has tickets of its own.
    for (let turn = 0; turn < 8; turn++) {
      const cache = `workers ${version} ${turn}`;
      const first = turn % 2 === 0 ? open : { ...guarded, certificate: { cert, key } };
      assert.equal((await client.attempt({ ...first, cache, stubborn: true, version })).served, true);
      for (let visit = 0; visit < 4; visit++) {
        const seen = await client.attempt({ ...guarded, cache, stubborn: true, version });
        assert.equal(seen.served, false, JSON.stringify(seen));
      }
    }
  }
  for (let visit = 0; visit < 10; visit++) {
    assert.equal((await client.attempt({ ...guarded, cache: "own", certificate: { cert, key } })).served, true);
  }
});

/** A relay that cuts a client's first TLS record into records of so many bytes, as RFC 8446 section 5.1 allows. */
async function cutRecords(to: number, bytes: number): Promise<{ port: number } & AsyncDisposable> {
  const server = createServer((incoming) => {
    const outgoing = connect(to, "127.0.0.1");
    for (const socket of [incoming, outgoing]) socket.on("error", () => {});
    outgoing.pipe(incoming);
    outgoing.on("close", () => incoming.destroy());
    incoming.on("close", () => outgoing.destroy());
    let first = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      first = Buffer.concat([first, chunk]);
      if (first.length < 5 || first.length < 5 + first.readUInt16BE(3)) return;
      incoming.off("data", onData);
      const body = first.subarray(5, 5 + first.readUInt16BE(3));
      for (let at = 0; at < body.length; at += bytes) {
        const piece = body.subarray(at, at + bytes);
        outgoing.write(
          Buffer.concat([first.subarray(0, 3), Buffer.from([piece.length >> 8, piece.length & 255]), piece]),
        );
      }
      outgoing.write(first.subarray(5 + body.length));
      incoming.pipe(outgoing);
    };
    incoming.on("data", onData);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}
