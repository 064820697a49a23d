/** The words of others that docs/troubleshooting.md quotes. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { makeTestCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet, startAgent } from "../support/processes/processes.ts";

leakTest("docs/troubleshooting.md quotes what the runtime says of a handshake that fails", async () => {
  await using launched = await Launched.start("grpc-uds", { serverFlags: ["--agent-bind-address=0.0.0.0"] });
  const { certificates: { caCert, clientCert, clientKey }, server } = launched;
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-documents-" });
  try {
    const others = await writeTestCertificates(folder, await makeTestCertificates("another CA"));
    const own = [`--agent-cert=${clientCert}`, `--agent-key=${clientKey}`];
    const port = (value: number) => `--proxy-server-port=${value}`;
    const faults: Readonly<Record<string, readonly string[]>> = {
      "connect ECONNREFUSED": [`--ca-cert=${caCert}`, ...own, port(1)],
      "self-signed certificate in certificate chain": [`--ca-cert=${others.caCert}`, ...own, port(server.agentPort)],
      "Hostname/IP does not match certificate's altnames": [
        `--ca-cert=${caCert}`,
        ...own,
        "--proxy-server-host=127.0.0.3",
        port(server.agentPort),
      ],
      "received fatal alert: CertificateRequired": [`--ca-cert=${caCert}`, port(server.agentPort)],
      "the server ended the connection before it answered": [
        `--ca-cert=${caCert}`,
        `--agent-cert=${others.clientCert}`,
        `--agent-key=${others.clientKey}`,
        port(server.agentPort),
      ],
      "received corrupt message of type InvalidContentType": [`--ca-cert=${caCert}`, ...own, port(server.healthPort)],
    };
    const document = await Deno.readTextFile(new URL("../../docs/troubleshooting.md", import.meta.url));
    const quoted = [...document.matchAll(/<!-- live -->([^]*?)<!-- \/live -->/g)].flatMap(([, part = ""]) =>
      [...part.matchAll(/^- `([^`]+)`/gm)].map(([, text]) => text)
    );
    assert.deepEqual(quoted, Object.keys(faults));
    for (const [text, flags] of Object.entries(faults)) {
      await using agent = await startAgent([...flags, "--sync-interval=100ms", "--sync-interval-cap=1s"]);
      // Which of two texts an attempt ends with may be a matter of chance: an alert, or the end of the connection behind it.
      await until(`an agent says "${text}"`, async () => {
        return agent.program.log.includes(text) || (await httpGet(agent.adminPort, "/status")).body.includes(text);
      }).catch((error) => assert.fail(`${error}\n${agent.program.tail()}`));
    }
    await until("the server has said why", () => {
      return server.program.log.includes("which is not among the CAs that are trusted here");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
