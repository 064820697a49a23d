import assert from "node:assert/strict";
import { certifiedPeer } from "../../tests/support/memory/peer_identities.ts";
import { AllowedNames } from "../wire/destination/allowed_names.ts";
import { type DestinationRule, parseDestinationRule } from "../wire/destination/destination_rule.ts";
import { type PeerIdentity, unixPeer } from "../wire/peer_identity.ts";
import { anyDial, DialPolicy } from "./dial_policy.ts";

function rules(text: string): DestinationRule[] {
  return text.split(",").filter((entry) => entry !== "").map((entry) => {
    const rule = parseDestinationRule(entry);
    return typeof rule === "string" ? assert.fail(`${entry} ${rule}`) : rule;
  });
}

/** @param clients lists by the name that they are for */
function policy(allow: string, deny = "", clients: Readonly<Record<string, string>> = {}): DialPolicy {
  return new DialPolicy({
    lists: { allow: rules(allow), deny: rules(deny) },
    clients: Object.entries(clients).flatMap(([name, list]) =>
      rules(list).map((rule) => ({ client: name === "*" ? undefined : new AllowedNames([name]), rule }))
    ),
  });
}

/** Why, behind the words that all refusals have; empty: it is allowed. */
function why(policy: DialPolicy, address: string, peer: PeerIdentity = unixPeer): string {
  const text = policy.refusal({ protocol: "tcp", address }, peer) ?? "";
  const start = `dial tcp ${address}: not allowed: `;
  assert.ok(text === "" || text.startsWith(start), text);
  return text.slice(start.length);
}

Deno.test("only tcp is passed on: whatever else an agent of the original would dial is not", () => {
  for (const protocol of ["unix", "unixgram", "unixpacket", "udp", "ip4:icmp", "tcp4", "tcp6", "TCP", "", " tcp"]) {
    assert.equal(
      new DialPolicy(anyDial).refusal({ protocol, address: "/run/containerd.sock" }, unixPeer),
      `dial ${protocol} /run/containerd.sock: not allowed: this server passes only tcp on`,
    );
  }
});

Deno.test("without lists everything goes on, what cannot be read too: it is the agent's to refuse", () => {
  const open = new DialPolicy(anyDial);
  for (const address of ["a:80", "127.1:80", "nonsense", "a:http", "", "169.254.169.254:80"]) {
    assert.equal(open.refusal({ protocol: "tcp", address }, unixPeer), undefined, address);
  }
});

Deno.test("lists hold for names as they are asked for and for addresses in each form", () => {
  const some = policy("*.svc:443,10.0.0.0/8,[fd00::]/8:10250", "10.9.0.0/16,db.svc,*:22");
  for (const address of ["web.svc:443", "WEB.svc.:443", "10.1.1.1:80", "[::ffff:10.1.1.1]:80", "[fd00::1]:10250"]) {
    assert.equal(why(some, address), "", address);
  }
  const unlisted = "not among this server's --destinations";
  for (const address of ["svc:443", "web.svc:80", "web.example:443", "[fd00::1]:443", "192.0.2.1:80"]) {
    assert.equal(why(some, address), unlisted, address);
  }
  const denied = "among this server's --deny-destinations";
  for (
    const address of ["10.9.1.1:80", "[::ffff:10.9.1.1]:80", "[64:ff9b::10.9.1.1]:80", "db.svc:443", "10.1.1.1:22"]
  ) {
    assert.equal(why(some, address), denied, address);
  }
});

Deno.test("what cannot be read is refused where there are lists: an agent may read it in another way", () => {
  const some = policy("", "10.0.0.0/8");
  assert.equal(why(some, "10.0.0.1:http"), 'invalid port "http"');
  assert.equal(why(some, "10.0.0.1"), "missing port in address");
  for (const host of ["10.1", "167772161", "0x0a.1", "012.0.0.1", "１0.0.0.1"]) {
    assert.equal(why(some, `${host}:80`), "among this server's --deny-destinations", host);
  }
});

Deno.test("a client reaches what the lists of its names allow, and the lists of all too", () => {
  const clients = policy("", "*:22", {
    "kube-apiserver": "*",
    "monitoring": "10.0.0.0/8:9100,*.svc:9090",
    "spiffe://prod/ns/*": "192.0.2.1:443",
  });
  const named = (commonName: string) => certifiedPeer({ commonName });
  assert.equal(why(clients, "anything.example:443", named("kube-apiserver")), "");
  assert.equal(why(clients, "anything.example:22", named("kube-apiserver")), "among this server's --deny-destinations");
  assert.equal(why(clients, "10.1.1.1:9100", named("monitoring")), "");
  assert.equal(why(clients, "prometheus.svc:9090", named("monitoring")), "");
  const own = "not among this client's --client-destinations";
  assert.equal(why(clients, "10.1.1.1:9090", named("monitoring")), own);
  const workload = certifiedPeer({ commonName: "monitoring", uris: ["spiffe://prod/ns/monitoring"] });
  assert.equal(why(clients, "192.0.2.1:443", workload), "", "the lists of all its names add up");
  assert.equal(why(clients, "10.1.1.1:9100", workload), "");
  const stranger = "no --client-destinations name this client";
  assert.equal(why(clients, "10.1.1.1:9100", named("other")), stranger);
  assert.equal(why(clients, "10.1.1.1:9100", unixPeer), stranger);
});

Deno.test("the server's own dials are held against the lists of all, and against no client's", () => {
  const clients = policy("*:443", "10.0.0.1", { "kube-apiserver": "10.0.0.2:443" });
  const own = (address: string) => clients.refusal({ protocol: "tcp", address }, undefined);
  assert.equal(own("10.0.0.9:443"), undefined);
  assert.match(own("10.0.0.9:80") ?? "", /not among this server's --destinations$/);
  assert.match(own("10.0.0.1:443") ?? "", /among this server's --deny-destinations$/);
});

Deno.test("a list for * is everybody's, with or without a certificate", () => {
  const clients = policy("", "", { "*": "*.svc:443", "admin": "*" });
  assert.equal(why(clients, "web.svc:443"), "");
  assert.equal(why(clients, "web.svc:443", certifiedPeer({ commonName: "whoever" })), "");
  assert.equal(why(clients, "web.svc:80", certifiedPeer({ commonName: "admin" })), "");
  assert.equal(why(clients, "web.svc:80"), "not among this client's --client-destinations");
});
