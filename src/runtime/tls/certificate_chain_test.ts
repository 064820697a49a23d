import assert from "node:assert/strict";
import { authorityExtensions, opensslCertificate } from "../../../tests/support/in_process/openssl.ts";
import { Certificate, certificatesIn } from "./certificate.ts";
import { chainFault, leafFault } from "./certificate_chain.ts";
import { DerError } from "./der.ts";

const leafExtensions = ["extendedKeyUsage=clientAuth"];

Deno.test("CAs by one name that sign each other cost a peer's judge a bounded number of signatures", async () => {
  const root = await opensslCertificate({ subject: "/CN=root", extensions: authorityExtensions });
  // Below an authority that is trusted each signature is worth a look; elsewhere none is.
  for (const [name, code] of [["root", "CERT_CHAIN_TOO_LONG"], ["loop", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"]]) {
    const subject = `/CN=${name}`;
    const first = await opensslCertificate({ subject, extensions: authorityExtensions });
    const others = await Promise.all(Array.from({ length: 30 }, () => {
      return opensslCertificate({ subject, extensions: authorityExtensions, issuer: first });
    }));
    const leaf = await opensslCertificate({ subject: "/CN=leaf", extensions: leafExtensions, issuer: first });
    const presented = [...others, first].map(({ certPem }) => new Certificate(certPem));
    let checked = 0;
    for (const each of presented) {
      const key = each.key;
      Object.defineProperty(each, "key", { get: () => (checked++, key) });
    }
    const how = { purpose: "client", now: Date.now() } as const;
    const fault = chainFault(new Certificate(leaf.certPem), presented, [new Certificate(root.certPem)], how);
    assert.equal(fault?.code, code);
    assert.equal(checked, 0, "no signature is checked with a stranger's key");
  }
});

Deno.test("a CA's path length is kept, and a name constraint is not passed over where nobody else checks it", async () => {
  const root = await opensslCertificate({
    subject: "/CN=root",
    extensions: ["basicConstraints=critical,CA:TRUE,pathlen:0"],
  });
  const between = await opensslCertificate({ subject: "/CN=between", extensions: authorityExtensions, issuer: root });
  const far = await opensslCertificate({ subject: "/CN=far", extensions: leafExtensions, issuer: between });
  const near = await opensslCertificate({ subject: "/CN=near", extensions: leafExtensions, issuer: root });
  const [rootOnly, chain] = [root, between].map(({ certPem }) => [new Certificate(certPem)]);
  assert.ok(rootOnly !== undefined && chain !== undefined);
  const judge = (pem: string) =>
    chainFault(new Certificate(pem), chain, rootOnly, { purpose: "client", now: Date.now() })?.code;
  assert.equal(judge(near.certPem), undefined);
  assert.equal(judge(far.certPem), "PATH_LENGTH_EXCEEDED");
  const constrained = await opensslCertificate({
    subject: "/CN=constrained",
    extensions: [...authorityExtensions, "nameConstraints=permitted;DNS:example.com"],
  });
  const below = await opensslCertificate({ subject: "/CN=below", extensions: leafExtensions, issuer: constrained });
  const trusted = [new Certificate(constrained.certPem)];
  assert.equal(
    chainFault(new Certificate(below.certPem), [], trusted, { purpose: "client", now: Date.now() }),
    undefined,
  );
  assert.equal(
    chainFault(new Certificate(below.certPem), [], trusted, { purpose: "client", now: Date.now(), alone: true })?.code,
    "INVALID_CA",
  );
});

Deno.test("a certificate is judged by itself before its chain is", async () => {
  const leaf = await opensslCertificate({ subject: "/CN=leaf", extensions: leafExtensions });
  const certificate = new Certificate(leaf.certPem);
  assert.equal(leafFault(certificate, "client", Date.now()), undefined);
  assert.equal(leafFault(certificate, "server", Date.now())?.code, "INVALID_PURPOSE");
  assert.equal(leafFault(certificate, "client", Date.now() + 3 * 86_400_000)?.code, "CERT_HAS_EXPIRED");
  assert.equal(leafFault(certificate, "client", Date.now() - 86_400_000)?.code, "CERT_NOT_YET_VALID");
});

Deno.test("a CA issues what its keyUsage, purposes and extensions allow it to, also where the runtime lets it", async () => {
  const root = await opensslCertificate({ subject: "/CN=root", extensions: authorityExtensions });
  const authority = "basicConstraints=critical,CA:TRUE";
  const faults: readonly (readonly [string[], string | undefined, string | undefined])[] = [
    [[authority, "keyUsage=critical,digitalSignature"], "INVALID_CA", "INVALID_CA"],
    [[authority, "extendedKeyUsage=serverAuth"], "INVALID_PURPOSE", "INVALID_PURPOSE"],
    [[authority, "extendedKeyUsage=clientAuth"], undefined, undefined],
    // What a CA says of itself that an operator has listed is his to know.
    [[authority, "1.2.3.4.5=critical,DER:05:00"], "CERT_UNHANDLED_CRITICAL_EXTENSION", undefined],
  ];
  for (const [extensions, sent, listed] of faults) {
    const between = await opensslCertificate({ subject: "/CN=between", extensions, issuer: root });
    const leaf = await opensslCertificate({ subject: "/CN=leaf", extensions: leafExtensions, issuer: between });
    const [ca, own, presented] = [root, leaf, between].map(({ certPem }) => new Certificate(certPem));
    assert.ok(ca !== undefined && own !== undefined && presented !== undefined);
    const how = { purpose: "client", now: Date.now() } as const;
    assert.equal(chainFault(own, [presented], [ca], how)?.code, sent, extensions.join());
    assert.equal(chainFault(own, [], [presented], how)?.code, listed, extensions.join());
  }
});

Deno.test("one of version 1 is a CA where it is listed, and nowhere else", async () => {
  const root = await opensslCertificate({ subject: "/CN=root", extensions: authorityExtensions });
  // Its own issuer by its name.
  const first = await opensslCertificate({ subject: "/CN=root", extensions: [], issuer: root });
  const leaf = await opensslCertificate({ subject: "/CN=leaf", extensions: leafExtensions, issuer: first });
  const [ca, own, presented] = [root, leaf, first].map(({ certPem }) => new Certificate(certPem));
  assert.ok(ca !== undefined && own !== undefined && presented !== undefined);
  const how = { purpose: "client", now: Date.now() } as const;
  assert.notEqual(chainFault(own, [presented], [ca], how), undefined);
  assert.equal(chainFault(own, [], [presented], how), undefined);
});

Deno.test("a certificate whose names are no text is none, and ends no more than its own reading", async () => {
  const { certPem } = await opensslCertificate({ subject: "/CN=agent.example", extensions: leafExtensions });
  const der = Uint8Array.fromBase64(certPem.replaceAll(/-----[A-Z ]+-----/g, ""));
  const name = new TextEncoder().encode("agent.example");
  for (let at = 0; at + name.length <= der.length; at++) {
    // Of the subject, and of the issuer, which is the same.
    if (name.every((byte, i) => der[at + i] === byte)) der[at + 3] = 0xff;
  }
  assert.throws(() => new Certificate(der), DerError);
  const pem = `-----BEGIN CERTIFICATE-----\n${der.toBase64()}\n-----END CERTIFICATE-----\n`;
  assert.deepEqual(certificatesIn(`${pem}${certPem}`).length, 1);
});
