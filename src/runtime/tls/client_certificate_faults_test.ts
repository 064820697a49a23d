import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:tls";
import { issueAuthority } from "../../programs/certs/issue.ts";
import {
  authorityExtensions,
  opensslCertificate,
  type OpensslPair,
} from "../../../tests/support/in_process/openssl.ts";
import { runtimeFault } from "../../../tests/support/assert/runtime_fault.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";

/** What a bare server that trusts some CAs makes of a client: whether it is authorized, and what the server has sent. */
async function judged(ca: string, client: OpensslPair): Promise<{ authorized: boolean; sent: number }> {
  const { server: own } = await testCertificates();
  const server = createServer({ cert: own.certPem, key: own.keyPem, ca, requestCert: true, rejectUnauthorized: false });
  server.on("tlsClientError", (_error, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const seen = new Promise<boolean>((resolve) => {
    server.once("secureConnection", (socket) => {
      socket.on("error", () => {});
      resolve(socket.authorized);
    });
  });
  const socket = connect({
    host: "127.0.0.1",
    port: (server.address() as AddressInfo).port,
    cert: client.certPem,
    key: client.keyPem,
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  const authorized = await seen;
  let sent = 0;
  for (let next: unknown = socket.getPeerCertificate(true); sent < 10;) {
    if (!(Reflect.get(Object(next), "raw") instanceof Uint8Array)) break;
    sent++;
    const issuer: unknown = Reflect.get(Object(next), "issuerCertificate");
    if (issuer === next) break;
    next = issuer;
  }
  socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { authorized, sent };
}

const trust = { file: "src/net/tls/client_trust.ts", then: "leave to the runtime what it does now" };
const hour = 3_600_000;

runtimeFault("this runtime trusts a certificate that is listed as a CA after its end", trust, async () => {
  const old = await issueAuthority({
    commonName: "old",
    keyKind: "p-256",
    validity: { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) },
  });
  return (await judged(old.certPem, old)).authorized;
});

runtimeFault("this runtime asks who shows a listed CA of version 1 for no proof of its key", trust, async () => {
  const first = await opensslCertificate({ subject: "/CN=first", extensions: [] });
  const stranger = await opensslCertificate({ subject: "/CN=stranger", extensions: [] });
  return (await judged(first.certPem, { certPem: first.certPem, keyPem: stranger.keyPem })).authorized;
});

runtimeFault("this runtime takes for a CA what is listed as one, and is none", trust, async () => {
  const none = await opensslCertificate({ subject: "/CN=none", extensions: ["basicConstraints=CA:FALSE"] });
  const leaf = await opensslCertificate({
    subject: "/CN=leaf",
    extensions: ["extendedKeyUsage=clientAuth"],
    issuer: none,
  });
  return (await judged(none.certPem, leaf)).authorized;
});

runtimeFault("this runtime refuses a client's certificate for every purpose", trust, async () => {
  const ca = await opensslCertificate({ subject: "/CN=ca", extensions: authorityExtensions });
  const leaf = await opensslCertificate({
    subject: "/CN=leaf",
    extensions: ["extendedKeyUsage=anyExtendedKeyUsage"],
    issuer: ca,
  });
  return !(await judged(ca.certPem, leaf)).authorized;
});

runtimeFault("this runtime sends the CAs of clients along with a server's own certificate", trust, async () => {
  const { client } = await testCertificates();
  const cas = await Promise.all([1, 2, 3].map((at) => issueAuthority({ commonName: `${at}`, keyKind: "p-256" })));
  return (await judged(cas.map(({ certPem }) => certPem).join(""), client)).sent > 1;
});
