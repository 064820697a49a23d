import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, createServer, type TLSSocket } from "node:tls";
import { issueLeaf } from "../../programs/certs/issue.ts";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { rememberCertificate, shownCertificate } from "./shown_certificate.ts";

/** A connection whose peer has shown some bytes, and how often the runtime was asked for them. */
function showing(der: string): { readonly socket: TLSSocket; asked: number } {
  const connection = {
    asked: 0,
    socket: {
      getPeerX509Certificate: () => {
        connection.asked++;
        return { raw: Buffer.from(der, "latin1") };
      },
    } as unknown as TLSSocket,
  };
  return connection;
}

Deno.test("the runtime is asked once for the certificate of a connection", () => {
  const connection = showing("one");
  const certificate = shownCertificate(connection.socket);
  assert.equal(certificate?.der, "one");
  assert.equal(shownCertificate(connection.socket), certificate);
  assert.equal(connection.asked, 1);
});

Deno.test("connections share a certificate that was found good, and none that was not: strangers fill no memory", () => {
  const [stranger, again] = [showing("a stranger's"), showing("a stranger's")];
  assert.notEqual(shownCertificate(stranger.socket), shownCertificate(again.socket));
  const good = shownCertificate(showing("a good one").socket);
  assert.ok(good !== undefined);
  rememberCertificate(good);
  assert.equal(shownCertificate(showing("a good one").socket), good);
  for (let other = 0; other < 2000; other++) {
    const certificate = shownCertificate(showing(`one of many ${other}`).socket);
    if (certificate !== undefined) rememberCertificate(certificate);
  }
  assert.notEqual(shownCertificate(showing("a good one").socket), good, "what is remembered has a bound");
});

leakTest("a client's certificate is read, and stays known when its connection is gone", async () => {
  const { ca, server: own } = await testCertificates();
  const leaf = await issueLeaf(ca, { commonName: "alice", usages: ["client"], keyKind: "p-256" });
  const accepted = Promise.withResolvers<TLSSocket>();
  const server = createServer({ cert: own.certPem, key: own.keyPem, ca: ca.certPem, requestCert: true }, (socket) => {
    accepted.resolve(socket.on("error", () => {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port ?? 0 : 0;
  const client = connect({ port, host: "127.0.0.1", ca: ca.certPem, cert: leaf.certPem, key: leaf.keyPem });
  client.on("error", () => {});
  const socket = await accepted.promise;
  assert.equal(shownCertificate(socket)?.read().commonName, "alice");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  client.destroy();
  socket.destroy();
  await closed;
  assert.equal(shownCertificate(socket)?.read().commonName, "alice");
  await new Promise((resolve) => server.close(resolve));
});
