import assert from "node:assert/strict";
import { issueAuthority } from "../../programs/certs/issue.ts";
import { authorityExtensions, opensslCertificate, testKeys } from "../../../tests/support/in_process/openssl.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { certificateWarnings } from "./certificate_warnings.ts";

const files = { ca: "/ca.crt", cert: "/tls.crt", key: "/tls.key" };

Deno.test("sound certificates are read without a word", async () => {
  const { ca, server, client } = await testCertificates();
  const material = (pair: typeof server) => ({ ca: ca.certPem, cert: pair.certPem, key: pair.keyPem });
  assert.deepEqual(certificateWarnings(files, material(server), "server", Date.now()), []);
  assert.deepEqual(certificateWarnings(files, material(client), "client", Date.now()), []);
});

Deno.test("what peers will refuse of own certificates is said when they are read, with the property and the file", async () => {
  const said = async (extensions: readonly string[], purpose: "server" | "client", key?: readonly string[]) => {
    const pair = await opensslCertificate({
      subject: "/CN=own",
      extensions,
      ...(key === undefined ? {} : { key }),
    });
    return certificateWarnings(files, { cert: pair.certPem, key: pair.keyPem }, purpose, Date.now()).join("\n");
  };
  const names = "subjectAltName=DNS:localhost";
  assert.equal(await said([names], "server"), "");
  assert.match(
    await said(["extendedKeyUsage=serverAuth"], "server"),
    /^peers will refuse .*\/tls\.crt.* no subjectAltName/,
  );
  assert.equal(await said(["extendedKeyUsage=clientAuth"], "client"), "");
  assert.match(
    await said(["extendedKeyUsage=serverAuth"], "client"),
    /extendedKeyUsage without clientAuth/,
  );
  assert.match(await said([], "client"), /X\.509 version 1/);
  assert.match(
    await said([names, "certificatePolicies=critical,1.2.3"], "server"),
    /critical extension certificatePolicies/,
  );
  assert.match(await said([names], "server", testKeys.rsa1024), /RSA key of 1024 bits/);
});

Deno.test("what is wrong with CAs is said when they are read", async () => {
  const pems = async (...requests: Parameters<typeof opensslCertificate>[0][]) => {
    return (await Promise.all(requests.map(opensslCertificate))).map(({ certPem }) => certPem).join("");
  };
  const ca = await pems(
    { subject: "/CN=sound", extensions: authorityExtensions },
    { subject: "/CN=none", extensions: ["basicConstraints=CA:FALSE"] },
    { subject: "/CN=small", extensions: authorityExtensions, key: testKeys.rsa1024 },
  );
  const [none, small, ...more] = certificateWarnings(files, { ca }, "server", Date.now());
  assert.match(none ?? "", /^\/ca\.crt lists CN=none, which is no CA for lack of basicConstraints/);
  assert.match(small ?? "", /^\/ca\.crt lists the CA CN=small with an RSA key of 1024 bits/);
  assert.deepEqual(more, []);
});

Deno.test("a server says that it names no CAs where they are too many", async () => {
  const many = await Promise.all(Array.from({ length: 145 }, (_, at) => {
    return issueAuthority({ commonName: `number ${at}`, keyKind: "p-256" });
  }));
  const ca = many.map(({ certPem }) => certPem).join("\n");
  assert.deepEqual(certificateWarnings(files, { ca }, "client", Date.now()), []);
  const [warning, ...more] = certificateWarnings(files, { ca }, "server", Date.now());
  assert.deepEqual(more, []);
  assert.match(
    warning ?? "",
    /^\/ca\.crt holds 145 CAs, more than fit into a handshake \(their names have \d+ bytes\)/,
  );
});
