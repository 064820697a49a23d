import assert from "node:assert/strict";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { certifiedPeer, tokenSubject } from "../../../tests/support/memory/peer_identities.ts";
import { parseIdentifiers } from "../../wire/identifiers.ts";
import type { CertificateNames, TokenSubject } from "../../wire/peer_identity.ts";
import { unprovenClaim } from "./identifier_claims.ts";
import { destHostFit, reachOf } from "../strategies.ts";

function unproven(query: string, names: Partial<CertificateNames>, token?: Partial<TokenSubject>): string | undefined {
  return unprovenClaim(parseIdentifiers(query), {
    certificate: certifiedPeer(names).certificate,
    token: token === undefined ? undefined : tokenSubject(token),
  });
}

Deno.test("an agent may claim what its certificate's alternative names bear", () => {
  const cases: readonly (readonly [string, Partial<CertificateNames>])[] = [
    ["", {}],
    ["host=", {}],
    ["host=Node-1.example.", { dnsNames: ["node-1.example"] }],
    ["host=node-1.example", { dnsNames: ["*.example"] }],
    ["ipv4=10.0.0.1&ipv6=fd00:0::1", { addresses: ["10.0.0.1", "fd00::1"] }],
    ["host=10.0.0.1", { addresses: ["10.0.0.1"] }],
    ["ipv6=::ffff:10.0.0.1", { addresses: ["10.0.0.1"] }],
    ["cidr=10.1.0.0/16&cidr=10.0.0.0/8", { uris: ["konnectivity:cidr/10.0.0.0/8"] }],
    ["cidr=fd00:1::/32", { uris: ["konnectivity:cidr/fd00::/16"] }],
    ["ipv4=10.7.7.7", { uris: ["konnectivity:cidr/10.0.0.0/8"] }],
    ["default-route=true", { uris: ["konnectivity:default-route"] }],
    ["default-route=false", {}],
  ];
  for (const [query, names] of cases) assert.equal(unproven(query, names), undefined, query);
});

Deno.test("an agent may claim its token's pod and node", () => {
  assert.equal(unproven("host=node-1&host=agent-x2", {}, { podName: "agent-x2", nodeName: "node-1" }), undefined);
  assert.equal(unproven("ipv4=10.0.0.1", {}, { nodeName: "10.0.0.1" }), undefined);
  assert.equal(unproven("host=node-2", {}, { podName: "agent-x2", nodeName: "node-1" }), "host=node-2");
  assert.equal(unproven("host=konnectivity-agent", {}, { podName: "p" }), "host=konnectivity-agent");
});

Deno.test("a claim that nothing bears is named", () => {
  const cases: readonly (readonly [string, Partial<CertificateNames>, string])[] = [
    ["host=db.internal", { commonName: "db.internal", organizations: ["db.internal"] }, "host=db.internal"],
    ["host=a.example&host=db.internal", { dnsNames: ["a.example"] }, "host=db.internal"],
    ["host=a.b.example", { dnsNames: ["*.example"] }, "host=a.b.example"],
    ["host=*.example", { dnsNames: ["*.other"] }, "host=*.example"],
    ["host=example", { dnsNames: ["*.example"] }, "host=example"],
    ["ipv4=10.0.0.2", { addresses: ["10.0.0.1"] }, "ipv4=10.0.0.2"],
    ["ipv4=db.internal", {}, "ipv4=db.internal"],
    ["cidr=10.0.0.0/7", { uris: ["konnectivity:cidr/10.0.0.0/8"] }, "cidr=10.0.0.0/7"],
    ["cidr=0.0.0.0/0", { addresses: ["10.0.0.1"] }, "cidr=0.0.0.0/0"],
    ["cidr=fd00::/8", { uris: ["konnectivity:cidr/0.0.0.0/0"] }, "cidr=fd00::/8"],
    ["cidr=nonsense", { uris: ["konnectivity:cidr/0.0.0.0/0", "konnectivity:cidr/nonsense"] }, "cidr=nonsense"],
    ["default-route=1", { uris: ["konnectivity:default-routes", "spiffe://default-route"] }, "default-route=true"],
  ];
  for (const [query, names, claim] of cases) assert.equal(unproven(query, names), claim, query);
  assert.equal(unprovenClaim(parseIdentifiers("host=a"), { certificate: undefined, token: undefined }), "host=a");
});

Deno.test("what a proven range or address brings an agent is never more than its certificate bears", () => {
  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((all) => all.join("."));
  const range = fc.tuple(
    fc.constantFrom("10.0.0.0", "10.1.0.0", "0.0.0.0", "10.1.2.0"),
    fc.integer({ max: 32, min: 0 }),
  )
    .map(([network, bits]) => `${network}/${bits}`);
  fc.assert(
    fc.property(range, range, octets, (borne, claimed, destination) => {
      if (unproven(`cidr=${claimed}`, { uris: [`konnectivity:cidr/${borne}`] }) !== undefined) return;
      const reached = destHostFit(destination, reachOf(parseIdentifiers(`cidr=${claimed}`))) > 0;
      assert.ok(!reached || ipaddr.IPv4.parse(destination).match(ipaddr.IPv4.parseCIDR(borne)));
    }),
    { numRuns: 2_000 },
  );
});
