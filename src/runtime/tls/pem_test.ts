import assert from "node:assert/strict";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { certificateBlocks, certificatesFault, clientFault, plainMaterial, privateKeyBlock } from "./pem.ts";

const noBase64 = "-----BEGIN CERTIFICATE-----\n!!! no base64 !!!\n-----END CERTIFICATE-----\n";
const noCertificate = `-----BEGIN CERTIFICATE-----\n${btoa("no certificate")}\n-----END CERTIFICATE-----\n`;

Deno.test("certificates are read out of what stands around them, in their order", async () => {
  const { ca, server } = await testCertificates();
  const blocks = certificateBlocks(`subject=CN = x\r\n${server.keyPem}${noBase64}${server.certPem}# CA\n${ca.certPem}`);
  assert.deepEqual(blocks.map((block) => block.trim()), [server.certPem.trim(), ca.certPem.trim()]);
});

Deno.test("what a client presents is refused with what is wrong with it", async () => {
  const { ca, server, client } = await testCertificates();
  const pair = { cert: client.certPem, key: client.keyPem };
  assert.equal(clientFault({}), undefined);
  assert.equal(clientFault({ ca: noBase64 + ca.certPem, ...pair }), undefined);
  assert.equal(clientFault({ ...pair, cert: noBase64 + client.certPem + ca.certPem }), undefined);
  const cases: readonly (readonly [Parameters<typeof clientFault>[0], string])[] = [
    [{ ca: "" }, "the certificate authority holds no certificate"],
    [{ ca: ca.certPem + noCertificate }, "the certificate authority holds a certificate that cannot be decoded"],
    [{ cert: client.certPem }, "a client certificate and its key are needed together, one is missing"],
    [{ key: client.keyPem }, "a client certificate and its key are needed together, one is missing"],
    [{ ...pair, cert: client.keyPem }, "the client certificate holds no certificate"],
    [
      { ...pair, key: server.keyPem },
      "the client certificate cannot be used: private key does not match public key",
    ],
  ];
  for (const [material, fault] of cases) assert.equal(clientFault(material), fault);
  const unreadable = clientFault({ ...pair, key: "no key" });
  assert.match(unreadable ?? "", /^the client certificate cannot be used: the private key cannot be read: /);
});

Deno.test("what the runtime is given has nothing around its blocks, and lines of the length that RFC 7468 has", async () => {
  const { ca, client } = await testCertificates();
  const around = (pem: string) => `\ufeffBag Attributes\r\n${pem.replaceAll("\n", " \r\n")}\r\n\r\n`;
  const both = around(client.keyPem) + around(client.certPem);
  assert.deepEqual(plainMaterial({ ca: around(ca.certPem), cert: both, key: both }), {
    ca: ca.certPem,
    cert: client.certPem,
    key: client.keyPem,
  });
  assert.deepEqual(plainMaterial({}), {});
  const oneLine = client.certPem.replace(/(?<!-)\n(?!-)/g, "");
  assert.deepEqual(certificateBlocks(oneLine), [client.certPem]);
  assert.equal(privateKeyBlock(client.certPem), undefined);
});

Deno.test("a begin without an end hides no certificate that follows it, as in Go, nor does one within another", async () => {
  const { ca, server } = await testCertificates();
  const begin = "-----BEGIN CERTIFICATE-----\nMIIB\n";
  const within = `-----BEGIN PRIVATE KEY-----\nMIIB\n${ca.certPem}-----END PRIVATE KEY-----\n`;
  assert.deepEqual(certificateBlocks(begin + ca.certPem), [ca.certPem]);
  assert.deepEqual(certificateBlocks(begin + server.keyPem + ca.certPem), [ca.certPem]);
  assert.deepEqual(certificateBlocks(within + ca.certPem), [ca.certPem, ca.certPem]);
  assert.equal(privateKeyBlock(within), undefined);
});

Deno.test("many begins without an end cost no more than other text: the loop that serves tunnels reads them again and again", () => {
  const megabyte = "-----BEGIN CERTIFICATE-----\n".repeat(38_000);
  const began = performance.now();
  assert.deepEqual(certificateBlocks(megabyte), []);
  // One search for each of them takes ten seconds; this takes ten milliseconds.
  assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
});

Deno.test("what is no PEM is refused by its name", async () => {
  const { ca } = await testCertificates();
  const utf16 = new TextDecoder().decode(
    new Uint8Array(Uint16Array.from(`\ufeff${ca.certPem}`, (c) => c.charCodeAt(0)).buffer),
  );
  assert.equal(certificatesFault(utf16), "holds no certificate: it is UTF-16, save it as ASCII or UTF-8");
  const der = Uint8Array.from(atob(ca.certPem.replace(/-----.*-----|\n/g, "")), (c) => c.charCodeAt(0));
  const text = new TextDecoder().decode(der);
  assert.equal(certificatesFault(text), "holds no certificate: it is DER, not PEM; openssl converts it");
});
