import assert from "node:assert/strict";
import type { DestinationLists } from "../wire/destination/destination_policy.ts";
import { parseDestinationRule } from "../wire/destination/destination_rule.ts";
import { isLoopback } from "../wire/destination/ip_address.ts";
import { type DialCheck, dialGuard } from "./dial_guard.ts";
import { ServerAddresses } from "./servers/server_addresses.ts";

const [health, admin, agentPort] = [8093, 8094, 8091];
const interfaces = ["10.0.0.7", "fd00::7"];

function lists(allow: string, deny: string): DestinationLists {
  const rules = (text: string) =>
    text.split(",").filter((entry) => entry !== "").map((entry) => {
      const rule = parseDestinationRule(entry);
      return typeof rule === "string" ? assert.fail(`${entry} ${rule}`) : rule;
    });
  return { allow: rules(allow), deny: rules(deny) };
}

/** The check of an agent at 10.0.0.7 whose servers are `proxy.example` (192.0.2.1 and 192.0.2.2) and 192.0.2.9. */
function guard(allow = "", deny = ""): DialCheck {
  const servers = new ServerAddresses(["proxy.example", "192.0.2.9"], agentPort);
  servers.resolved("proxy.example", ["192.0.2.1", "192.0.2.2"]);
  return dialGuard({
    lists: lists(allow, deny),
    ownPorts: () => [health, admin],
    isLocal: (address) => isLoopback(address) || interfaces.includes(address.toString()),
    servers,
  });
}

const own = "not allowed: a port of this agent itself";
const server = "not allowed: the proxy servers' port for agents";
const linkLocal = "not allowed: a link-local or metadata address";

Deno.test("an agent's own ports are refused at every address of its machine, in every form", () => {
  const check = guard();
  const forms: readonly (readonly [host: string, address: string])[] = [
    ["127.0.0.1", "127.0.0.1"],
    ["127.9.9.9", "127.9.9.9"],
    ["localhost", "127.0.0.1"],
    ["localhost", "::1"],
    ["::1", "::1"],
    ["::ffff:127.0.0.1", "::ffff:127.0.0.1"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
    ["64:ff9b::127.0.0.1", "64:ff9b::7f00:1"],
    ["::1%lo", "::1%lo"],
    ["10.0.0.7", "10.0.0.7"],
    ["fd00::7", "fd00:0::7"],
    ["rebound.example", "10.0.0.7"],
  ];
  for (const [host, address] of forms) {
    for (const port of [health, admin]) assert.equal(check(host, port, address), own, `${host} ${address} ${port}`);
    assert.equal(check(host, 10_250, address), undefined, `the kubelet at ${address}`);
  }
  assert.equal(check("10.0.0.8", admin, "10.0.0.8"), undefined, "another machine's port");
});

Deno.test("a name that leads to an unspecified address is judged by where that leads: this machine's loopback", () => {
  const denied = guard("", "127.0.0.0/8,::1");
  const only = guard("127.0.0.1:443");
  for (const address of ["0.0.0.0", "::", "::ffff:0.0.0.0"]) {
    assert.match(denied("rebound.example", 443, address) ?? "", /among this agent's --deny-destinations/, address);
    assert.equal(guard()("rebound.example", admin, address), own, address);
    assert.match(only("rebound.example", 444, address) ?? "", /not among/, address);
  }
  assert.equal(only("rebound.example", 443, "0.0.0.0"), undefined);
});

Deno.test("the servers' port for agents is refused by name, by address, and at this machine where a server is", () => {
  const check = guard();
  assert.equal(check("192.0.2.1", agentPort, "192.0.2.1"), server);
  assert.equal(check("192.0.2.2", agentPort, "::ffff:192.0.2.2"), server);
  assert.equal(check("192.0.2.9", agentPort, "192.0.2.9"), server);
  assert.equal(check("Proxy.Example.", agentPort, "198.51.100.1"), server);
  assert.equal(check("alias.example", agentPort, "192.0.2.1"), server);
  assert.equal(check("192.0.2.3", agentPort, "192.0.2.3"), undefined);
  assert.equal(check("192.0.2.1", 443, "192.0.2.1"), undefined);
  assert.equal(check("127.0.0.1", agentPort, "127.0.0.1"), undefined);
  const local = dialGuard({
    lists: lists("", ""),
    ownPorts: () => [],
    isLocal: isLoopback,
    servers: new ServerAddresses(["127.0.0.1"], agentPort),
  });
  assert.equal(local("127.0.0.2", agentPort, "127.0.0.2"), server);
  assert.equal(local("localhost", agentPort, "::1"), server);
});

Deno.test("addresses that a server no longer has are dialled again", () => {
  const servers = new ServerAddresses(["proxy.example"], agentPort);
  const check = dialGuard({ lists: lists("", ""), ownPorts: () => [], isLocal: isLoopback, servers });
  servers.resolved("proxy.example", ["192.0.2.1"]);
  servers.resolved("proxy.example", []);
  assert.equal(check("192.0.2.1", agentPort, "192.0.2.1"), server, "an empty answer changes nothing");
  servers.resolved("proxy.example", ["192.0.2.2"]);
  assert.equal(check("192.0.2.1", agentPort, "192.0.2.1"), undefined);
});

Deno.test("link-local and metadata addresses are refused, by names that lead there too", () => {
  const check = guard("*,0.0.0.0/0,::/0");
  const addresses = [
    "169.254.169.254",
    "169.254.0.1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "fd00:ec2::254",
    "fd20:ce::254",
  ];
  for (const address of [...addresses, "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]) {
    assert.equal(check(address, 80, address), linkLocal, address);
    assert.equal(check("metadata.example", 80, address), linkLocal, address);
  }
  for (const address of ["169.253.255.255", "169.255.0.1", "fec0::1", "fd00:ec2::253"]) {
    assert.equal(check(address, 80, address), undefined, address);
  }
});

Deno.test("what is refused by itself is dialled where --destinations names just that", () => {
  const check = guard("169.254.20.10:53,127.0.0.1:8093,192.0.2.1:8091,*");
  assert.equal(check("169.254.20.10", 53, "169.254.20.10"), undefined);
  assert.equal(check("169.254.20.10", 80, "169.254.20.10"), linkLocal);
  assert.equal(check("localhost", health, "127.0.0.1"), undefined);
  assert.equal(check("localhost", admin, "127.0.0.1"), own);
  assert.equal(check("10.0.0.7", health, "10.0.0.7"), own);
  assert.equal(check("192.0.2.1", agentPort, "192.0.2.1"), undefined);
  assert.equal(check("192.0.2.2", agentPort, "192.0.2.2"), server);
  const wide = guard("127.0.0.1,localhost:8094,169.0.0.0/8,proxy.example:8091");
  assert.equal(wide("127.0.0.1", admin, "127.0.0.1"), own);
  assert.equal(wide("localhost", admin, "127.0.0.1"), own);
  assert.equal(wide("169.254.169.254", 80, "169.254.169.254"), linkLocal);
  assert.equal(wide("proxy.example", agentPort, "192.0.2.1"), server);
});

Deno.test("the lists decide, deny first, and a name is refused unresolved where nothing could allow it", () => {
  const check = guard("10.0.0.0/8,*.svc:443", "10.9.0.0/16");
  assert.equal(check("10.1.1.1", 22, "10.1.1.1"), undefined);
  assert.equal(check("db.example", 22, "10.1.1.1"), undefined);
  assert.equal(check("db.example", 22), undefined);
  assert.equal(check("db.example", 22, "192.0.2.1"), "not allowed: not among this agent's --destinations");
  assert.equal(check("db.example", 22, "10.9.1.1"), "not allowed: among this agent's --deny-destinations");
  assert.equal(guard("*.svc:443")("db.example", 443), "not allowed: not among this agent's --destinations");
  assert.equal(guard("*", "*.internal")("a.internal", 1), "not allowed: among this agent's --deny-destinations");
});

Deno.test("an address that cannot be read is refused", () => {
  assert.equal(guard()("a", 80, "127.1"), "not allowed: an address that cannot be read");
});
