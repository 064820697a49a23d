import assert from "node:assert/strict";
import { settingsFrame } from "../../src/h2/frames/control_frames.ts";
import { clientPreface } from "../../src/h2/frames/frame.ts";
import { neededTest, whyMissing } from "../support/assert/needed.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { makeTestCertificates } from "../support/in_process/test_certificates.ts";
import { Launched } from "../support/processes/launched.ts";
import { sClient, whyNoOpenssl } from "./openssl_client.ts";
import { type Row, type RowFiles, rows, type TlsPort } from "./openssl_rows.ts";

const python = "/usr/bin/python3";
const whyNoPython = await whyMissing({ python3: [python, "--version"] });

const kinds: Readonly<Record<TlsPort, "grpc-tls" | "connect-tls">> = {
  "clients, gRPC": "grpc-tls",
  "clients, HTTP CONNECT": "connect-tls",
  agents: "grpc-tls",
};

function portOf(port: TlsPort, launched: Launched): number {
  return port === "agents" ? launched.server.agentPort : launched.port;
}

async function filesOf({ folder, certificates }: Launched, echo: string): Promise<RowFiles> {
  const { client } = await makeTestCertificates("another CA");
  const write = async (name: string, text: string) => {
    await Deno.writeTextFile(`${folder}/${name}`, text);
    return `${folder}/${name}`;
  };
  return {
    known: ["-cert", certificates.clientCert, "-key", certificates.clientKey],
    stranger: [
      "-cert",
      await write("stranger.crt", client.certPem),
      "-key",
      await write("stranger.key", client.keyPem),
    ],
    session: `${folder}/session`,
    request: await write("request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    echo,
  };
}

async function assertRow(row: Row, port: TlsPort, launched: Launched, files: RowFiles): Promise<void> {
  const shows = Array.isArray(row.shows) ? row.shows as readonly RegExp[] : row.shows[port as keyof Row["shows"]];
  const steps = row.steps?.(files);
  const text = await sClient(portOf(port, launched), row.args(files), {
    ...(steps === undefined ? {} : { steps }),
    shows,
  });
  for (const each of shows) assert.match(text, each);
  if (row.never !== undefined) assert.doesNotMatch(text, row.never);
}

for (const port of Object.keys(kinds) as TlsPort[]) {
  neededTest(
    `openssl s_client at the port for ${port}: whatever it does, it sees what TLS and the port promise, and a neighbour nothing`,
    whyNoOpenssl,
    async (t) => {
      await using echo = await echoDestination();
      await using launched = await Launched.start(kinds[port]);
      await using client = await launched.client();
      const neighbour = new Conversation(await client.dial(echo.address));
      const files = await filesOf(launched, echo.address);
      for (const row of rows.filter(({ ports }) => ports?.includes(port) ?? true)) {
        await t.step(`${row.what}: ${row.promise}`, async () => {
          await assertRow(row, port, launched, files);
          assert.equal(await neighbour.ask(row.what), row.what);
        });
      }
      await neighbour.tunnel.close();
    },
  );
}

interface Halves {
  /** What came behind the client's close_notify, as hexadecimal digits. */
  readonly heard: string;
  readonly end: string;
}

async function closeNotify(launched: Launched, port: TlsPort, alpn: string, said: Uint8Array): Promise<Halves> {
  const { caCert, clientCert, clientKey } = launched.certificates;
  const script = new URL("clients/close_notify.py", import.meta.url).pathname;
  const { stdout, stderr } = await new Deno.Command(python, {
    args: [script, String(portOf(port, launched)), caCert, clientCert, clientKey, alpn, said.toHex()],
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  assert.equal(text.decode(stderr), "");
  return JSON.parse(text.decode(stdout)) as Halves;
}

neededTest(
  "close_notify alone, without an end of the connection below it, is an end of the direction at every port",
  whyNoPython,
  async () => {
    await using echo = await echoDestination();
    const bytes = (text: string) => new TextEncoder().encode(text);
    const preface = new Uint8Array([...clientPreface, ...settingsFrame([])]);
    {
      await using launched = await Launched.start("connect-tls");
      const request = `CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n\r\n`;
      const tunnel = await closeNotify(launched, "clients, HTTP CONNECT", "", bytes(`${request}hello`));
      assert.equal(tunnel.end, "close_notify");
      assert.match(new TextDecoder().decode(Uint8Array.fromHex(tunnel.heard)), /^HTTP\/1\.1 200 [^]*\r\n\r\nhello$/);
      const cut = await closeNotify(launched, "clients, HTTP CONNECT", "", bytes(request.slice(0, 20)));
      assert.deepEqual(cut, { heard: "", end: "close_notify" });
    }
    await using launched = await Launched.start("grpc-tls");
    assert.equal((await closeNotify(launched, "clients, gRPC", "h2", preface)).end, "close_notify");
    assert.equal((await closeNotify(launched, "agents", "h2", preface)).end, "close_notify");
    const link = await closeNotify(launched, "agents", "konnectivity-link/1", new Uint8Array(0));
    assert.deepEqual(link, { heard: "", end: "close_notify" });
    assert.equal(echo.open, 0);
  },
);
