import assert from "node:assert/strict";
import fc from "fast-check";
import { X509Certificate } from "node:crypto";
import { issueAuthority, issueLeaf } from "../../programs/certs/issue.ts";
import { certificateNames } from "./certificate_names.ts";
import { DerError } from "./der.ts";

const authority = await issueAuthority({ commonName: "test CA", keyKind: "p-256" });

async function leaf(options: Partial<Parameters<typeof issueLeaf>[1]>): Promise<Uint8Array> {
  const { certPem } = await issueLeaf(authority, {
    commonName: "leaf",
    usages: ["client"],
    keyKind: "p-256",
    ...options,
  });
  return Uint8Array.fromBase64(certPem.replaceAll(/-----[A-Z ]+-----/g, ""));
}

/** A certificate of openssl's, as DER; `alternatives` are lines of its configuration. */
async function opensslLeaf(subject: string, alternatives: readonly string[], days = "1"): Promise<Uint8Array> {
  const dir = await Deno.makeTempDir();
  try {
    const config = ["[req]", "distinguished_name=d", "x509_extensions=x", "string_mask=default", "[d]", "[x]"];
    if (alternatives.length > 0) config.push("subjectAltName=@a", "[a]", ...alternatives);
    await Deno.writeTextFile(`${dir}/c`, config.join("\n"));
    const { success, stdout, stderr } = await new Deno.Command("openssl", {
      args: [
        ...["req", "-x509", "-config", `${dir}/c`, "-utf8", "-nameopt", "utf8", "-newkey", "ec"],
        ...["-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${dir}/k`, "-outform", "DER"],
        ...["-subj", subject, "-days", days],
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    return stdout;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a certificate's subject, alternative names, serial number and end are read", async () => {
  const names = certificateNames(
    await leaf({
      commonName: "system:kube-apiserver",
      organizations: ["system:masters", "Grüße"],
      names: ["a.example", "*.b.example"],
      addresses: ["10.0.0.1", "fd00:0::1"],
      uris: ["spiffe://cluster.local/ns/kube-system/sa/x"],
      validity: { notBefore: new Date("2026-01-01T00:00:00Z"), notAfter: new Date("2049-12-31T23:59:59Z") },
    }),
  );
  assert.match(names.serial, /^[4-7][0-9A-F]{39}$/);
  assert.deepEqual({ ...names, serial: "" }, {
    commonName: "system:kube-apiserver",
    organizations: ["system:masters", "Grüße"],
    dnsNames: ["a.example", "*.b.example"],
    addresses: ["10.0.0.1", "fd00::1"],
    uris: ["spiffe://cluster.local/ns/kube-system/sa/x"],
    emails: [],
    serial: "",
    notAfter: "2049-12-31T23:59:59Z",
  });
});

Deno.test("openssl's certificates are read, and a name that looks like two stays one", async () => {
  const names = certificateNames(
    await opensslLeaf("/O=x/CN=first/CN=ünïcode", [
      "URI.1=spiffe://cluster.local/ns/x, DNS:evil.example",
      "email.1=a@b.example",
      "DNS.1=good.example",
      "IP.1=::ffff:10.0.0.1",
      "RID.1=1.2.3.4",
    ], "20000"),
  );
  assert.equal(names.commonName, "ünïcode");
  assert.deepEqual(names.uris, ["spiffe://cluster.local/ns/x, DNS:evil.example"]);
  assert.deepEqual(names.dnsNames, ["good.example"]);
  assert.deepEqual(names.emails, ["a@b.example"]);
  assert.deepEqual(names.addresses, ["::ffff:a00:1"]);
  // Beyond 2049 the time has four digits for the year.
  assert.match(names.notAfter, /^20[6-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

Deno.test("the runtime itself writes a name that looks like two so that it reads as two", async () => {
  const der = await opensslLeaf("/CN=x", ["URI.1=spiffe://cluster.local/ns/x, DNS:evil.example"]);
  // Once names are quoted (as Node does since CVE-2021-44532), the runtime's own can be used again.
  assert.equal(new X509Certificate(der).subjectAltName, "URI:spiffe://cluster.local/ns/x, DNS:evil.example");
});

Deno.test("a certificate without a common name and alternative names has none", async () => {
  const names = certificateNames(await opensslLeaf("/O=x", []));
  assert.deepEqual([names.commonName, names.dnsNames, names.uris], ["", [], []]);
});

Deno.test("what is no certificate is an error of DER, whatever it is", async () => {
  const whole = await leaf({ names: ["a.example"], addresses: ["::1"], uris: ["urn:x"] });
  const change = fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255), cut: fc.nat(whole.length) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 4 }), (changes) => {
      const bytes = whole.slice();
      for (const { at, to } of changes) bytes[at] = to;
      tried(() => certificateNames(bytes.subarray(0, changes[0]?.cut)));
    }),
    { numRuns: 2_000 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => tried(() => certificateNames(bytes))));
});

function tried(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof DerError, String(error));
  }
}
