import assert from "node:assert/strict";
import { connect as connectTls } from "node:tls";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { testCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";

/** Fingerprint of the certificate that a port shows to somebody who connects now. */
async function fingerprintAt(launched: Launched, port: number): Promise<string> {
  const { caCert, clientCert, clientKey } = launched.certificates;
  const [ca, cert, key] = await Promise.all([caCert, clientCert, clientKey].map((path) => Deno.readTextFile(path)));
  if (ca === undefined || cert === undefined || key === undefined) throw new Error("no certificates");
  return await new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, ca, cert, key }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.once("close", () => resolve(fingerprint256));
      socket.destroy();
    });
    socket.once("error", reject);
  });
}

leakTest(
  "[server W24] [agent weak 24] certificates that are replaced on disk are shown to new connections, and open tunnels go on",
  async () => {
    await using echo = await echoDestination();
    await using launched = await Launched.start("connect-tls");
    await using client = await launched.client();
    const open = new Conversation(await client.dial(echo.address));
    assert.equal(await open.ask("before"), "before");
    const ports = [launched.port, launched.server.agentPort];
    const before = await Promise.all(ports.map((port) => fingerprintAt(launched, port)));
    assert.equal(before[0], before[1]);
    const { ca } = await testCertificates();
    const fresh = await issueLeaf(ca, {
      commonName: "renewed",
      usages: ["server", "client"],
      names: ["localhost"],
      addresses: ["127.0.0.1"],
      keyKind: "p-256",
    });
    const { serverCert, serverKey, clientCert, clientKey } = launched.certificates;
    for (const [cert, key] of [[serverCert, serverKey], [clientCert, clientKey]] as const) {
      await Deno.writeTextFile(key, fresh.keyPem);
      await Deno.writeTextFile(cert, fresh.certPem);
    }
    for (const [at, port] of ports.entries()) {
      await until("the new certificate is shown", async () => await fingerprintAt(launched, port) !== before[at]);
    }
    assert.equal(await open.ask("after"), "after");
    await until("the agent has seen it too", () => launched.agent.program.log.includes("certificates changed on disk"));
    // The agent comes back with its new certificate, to a server that reads its own anew.
    await open.tunnel.close();
    await launched.kill(launched.server);
    await launched.startServer();
    await launched.ready();
    await using again = await client.dial(echo.address);
    assert.equal(await new Conversation(again).ask("again"), "again");
  },
);

leakTest("[server W23] [agent weak 15] no log holds a token, not even where everything is logged", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const secret = `secret-${crypto.randomUUID()}`;
    const token = `${folder}/token`;
    await Deno.writeTextFile(token, `${secret}\n`);
    const loud = ["--v=10", "--vmodule=*=10"];
    await using echo = await echoDestination();
    await using launched = await Launched.start("connect-uds", {
      serverFlags: loud,
      agentFlags: [...loud, `--service-account-token-path=${token}`],
    });
    await using client = await launched.client();
    await using tunnel = await client.dial(echo.address);
    assert.equal(await new Conversation(tunnel).ask(secret), secret);
    const log = launched.server.program.log + launched.agent.program.log;
    assert.match(log, /options of proxy-server/, "everything is logged");
    assert.ok(!log.includes(secret), launched.logs);
    assert.ok(!log.includes("BEGIN"), launched.logs);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
