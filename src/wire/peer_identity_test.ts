import assert from "node:assert/strict";
import { type PeerCertificate, peerName } from "./peer_identity.ts";

const certificate: PeerCertificate = {
  commonName: "",
  organizations: ["system:masters"],
  dnsNames: [],
  addresses: [],
  uris: [],
  emails: [],
  serial: "01",
  notAfter: "2030-01-01T00:00:00Z",
  fingerprint: "ab",
};

Deno.test("a peer is called by the first name of its certificate, and without one by its address", () => {
  const called = (names: Partial<PeerCertificate>) =>
    peerName({ address: "[fd00::1]:4711", certificate: { ...certificate, ...names } });
  assert.equal(peerName({ address: "[fd00::1]:4711", certificate: undefined }), "[fd00::1]");
  assert.equal(peerName({ address: "unix", certificate: undefined }), "unix");
  assert.equal(called({}), "[fd00::1]");
  assert.equal(called({ commonName: "agent", uris: ["spiffe://a"] }), "agent");
  assert.equal(called({ uris: ["spiffe://a"], dnsNames: ["a.example"] }), "spiffe://a");
  assert.equal(called({ dnsNames: ["a.example"], addresses: ["10.0.0.1"] }), "a.example");
  assert.equal(called({ addresses: ["10.0.0.1"], emails: ["a@example"] }), "10.0.0.1");
  assert.equal(called({ emails: ["a@example"] }), "a@example");
});
