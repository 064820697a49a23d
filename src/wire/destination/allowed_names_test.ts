import assert from "node:assert/strict";
import fc from "fast-check";
import { certifiedPeer } from "../../../tests/support/memory/peer_identities.ts";
import { allowedNameFault, AllowedNames } from "./allowed_names.ts";
import type { CertificateNames } from "../peer_identity.ts";

function allows(entries: string, names: Partial<CertificateNames>): boolean {
  return new AllowedNames(entries.split(",")).allows(certifiedPeer(names).certificate);
}

const yes: readonly (readonly [entries: string, names: Partial<CertificateNames>])[] = [
  ["system:kube-apiserver", { commonName: "system:kube-apiserver" }],
  ["a,b", { commonName: "b" }],
  ["*.agents.example", { dnsNames: ["other", "One.Agents.Example."] }],
  ["*.AGENTS.example", { dnsNames: ["one.agents.example"] }],
  ["system:node:*", { commonName: "system:node:ip-10-0-0-1.ec2.internal" }],
  ["node-*-agent", { commonName: "node-7-agent" }],
  ["a*b*c", { commonName: "aXbcbYc" }],
  ["10.0.0.1", { addresses: ["10.0.0.1"] }],
  ["fd00:0:0::1", { addresses: ["fd00::1"] }],
  ["10.0.0.*", { addresses: ["10.0.0.7"] }],
  ["spiffe://cluster.local/ns/kube-system/*", { uris: ["spiffe://cluster.local/ns/kube-system/sa/agent"] }],
  ["spiffe://*/ns/kube-system/sa/agent", { uris: ["spiffe://cluster.local/ns/kube-system/sa/agent"] }],
  ["*", { commonName: "a.b" }],
];

const no: typeof yes = [
  ["system:kube-apiserver", { commonName: "system:kube-apiserver2" }],
  ["system:kube-apiserver", { commonName: "System:kube-apiserver" }],
  ["system:kube-apiserver", { organizations: ["system:kube-apiserver"], emails: ["system:kube-apiserver"] }],
  ["system:kube-apiserver", { uris: ["system:kube-apiserver"] }],
  ["*.agents.example", { dnsNames: ["agents.example", "a.b.agents.example", "x.agents.example.evil"] }],
  ["*.agents.example", { commonName: "a.b.agents.example" }],
  ["10.0.0.1", { addresses: ["10.0.0.11", "110.0.0.1"] }],
  ["spiffe://*/ns/kube-system/sa/agent", { uris: ["spiffe://a/b/ns/kube-system/sa/agent"] }],
  ["spiffe://cluster.local/ns/*/sa/agent", { uris: ["spiffe://cluster.local/ns/a/b/sa/agent"] }],
  ["spiffe://cluster.local/ns/kube-system/*", { uris: ["spiffe://cluster.local/ns/kube-systemx/sa/a"] }],
  ["spiffe://cluster.local/x", { commonName: "spiffe://cluster.local/x", dnsNames: ["spiffe://cluster.local/x"] }],
  // A name that was made to look like two.
  ["evil.example", { uris: ["spiffe://x, DNS:evil.example"], dnsNames: ["a, DNS:evil.example"] }],
  ["a.b", { commonName: "aXb" }],
  ["*", {}],
];

Deno.test("a list of names lets in those whose certificate bears one of them", () => {
  for (const [entries, names] of yes) assert.ok(allows(entries, names), `${entries}: ${JSON.stringify(names)}`);
});

Deno.test("a list of names keeps everybody else out", () => {
  for (const [entries, names] of no) assert.ok(!allows(entries, names), `${entries}: ${JSON.stringify(names)}`);
  assert.equal(new AllowedNames(["*"]).allows(undefined), false);
  assert.equal(new AllowedNames([]).allows(certifiedPeer({ commonName: "a" }).certificate), false);
});

/** What an entry means, as a regular expression. */
function expression(entry: string, separator: string): RegExp {
  const parts = entry.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}/]/g, "\\$&"));
  const open = parts.length > 1 && parts.at(-1) === "";
  if (open) parts.pop();
  return new RegExp(`^${parts.join(`[^${separator}]*`)}${open ? "[^]*" : ""}$`);
}

Deno.test("entries mean what the same regular expressions mean", () => {
  const names = fc.string({ unit: fc.constantFrom("a", "b", ".", "/"), minLength: 1, maxLength: 12 });
  const patterns = fc.string({ unit: fc.constantFrom("a", "b", ".", "/", "*", "*"), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(patterns, names, (pattern, name) => {
      assert.equal(allows(pattern, { commonName: name }), expression(pattern, ".").test(name));
      const uri = `spiffe://${name}`;
      assert.equal(allows(`spiffe://${pattern}`, { uris: [uri] }), expression(`spiffe://${pattern}`, "/").test(uri));
    }),
    { numRuns: 5_000 },
  );
});

Deno.test("an entry without stars matches exactly itself", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (entry, name) => {
      fc.pre(!entry.includes("*") && !entry.includes("://") && !entry.includes(":"));
      assert.equal(allows(entry.replaceAll(",", ""), { commonName: name }), entry.replaceAll(",", "") === name);
    }),
  );
});

Deno.test("an entry that can match nothing is a fault", () => {
  for (const entry of ["", " a", "a ", "a\nb", "\u0007"]) assert.notEqual(allowedNameFault(entry), undefined, entry);
  for (const entry of ["a", "*", "a b", "spiffe://a/*", "ü"]) assert.equal(allowedNameFault(entry), undefined, entry);
});
