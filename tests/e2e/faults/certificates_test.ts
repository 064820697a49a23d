import assert from "node:assert/strict";
import { connect as connectTls } from "node:tls";
import { until } from "../../support/assert/until.ts";
import { testCertificates } from "../../support/in_process/test_certificates.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { bad, freshPair, readingMs, replaceBadly } from "./replaced_files.ts";

/** The name in the certificate that a port shows to somebody who connects now. */
async function shownAt(port: number): Promise<string> {
  const { ca, client } = await testCertificates();
  return await new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port, ca: ca.certPem, cert: client.certPem, key: client.keyPem });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const { subject } = socket.getPeerCertificate();
      socket.once("close", () => resolve(String(subject.CN)));
      socket.destroy();
    });
  });
}

faultTest("a server's certificate and key are replaced in the wrong order, in halves and by others'", async () => {
  // Each request is a connection, with a handshake of its own.
  await using world = await FaultWorld.start("connect-tls");
  const { server, port, certificates: { serverCert, serverKey } } = world.launched;
  const fresh = await freshPair();
  await replaceBadly(serverCert, serverKey, fresh, world);
  // The last state is a key that is none beside the new certificate.
  await until("it is read and refused", () => bad.test(server.program.log), 6 * readingMs);
  assert.equal(await shownAt(port), "test server");
  await Deno.writeTextFile(serverKey, fresh.keyPem);
  for (const each of [port, server.agentPort]) {
    await until("the new certificate is shown", async () => await shownAt(each) === "renewed");
  }
  await world.end();
});
