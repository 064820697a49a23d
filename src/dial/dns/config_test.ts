import assert from "node:assert/strict";
import { parseHosts } from "./hosts.ts";
import { parseHostSources } from "./host_sources.ts";
import { parseResolvConf } from "./resolv_conf.ts";
import { searchNames } from "./search_names.ts";

Deno.test("resolv.conf of a pod: servers, search list and options", () => {
  const text = "# written by kubelet\nsearch kube-system.svc.cluster.local svc.cluster.local cluster.local\n" +
    "nameserver 10.96.0.10\noptions ndots:5 timeout:2 attempts:3 rotate single-request-reopen use-vc edns0\n";
  assert.deepEqual(parseResolvConf(text), {
    servers: ["10.96.0.10"],
    search: ["kube-system.svc.cluster.local.", "svc.cluster.local.", "cluster.local."],
    ndots: 5,
    timeoutMs: 2_000,
    attempts: 3,
    rotate: true,
    tcp: true,
    singleRequest: true,
  });
});

Deno.test("resolv.conf: what is missing, odd or too much is as every resolver takes it", () => {
  const empty = parseResolvConf("");
  assert.deepEqual(empty.servers, ["127.0.0.1", "::1"]);
  assert.deepEqual([empty.ndots, empty.timeoutMs, empty.attempts, empty.rotate], [1, 5_000, 2, false]);
  const odd = parseResolvConf(
    "nameserver not-an-address\nnameserver\nnameserver fe80::1%eth0\n; nameserver 9.9.9.9\nnameserver 10.0.0.1 # first\n" +
      "nameserver 10.0.0.2\nnameserver 10.0.0.3\ndomain old.example\nsearch . a.example. bad..example " +
      "x\u00e9.example\noptions ndots:99 timeout:0 attempts:x\n",
  );
  assert.deepEqual(odd.servers, ["fe80::1%eth0", "10.0.0.1", "10.0.0.2"]);
  assert.deepEqual(odd.search, ["a.example."]);
  assert.deepEqual([odd.ndots, odd.timeoutMs, odd.attempts], [15, 1_000, 2]);
  assert.deepEqual(parseResolvConf("search a.example\ndomain b.example\n").search, ["b.example."]);
});

Deno.test("names are tried with the search list before or after themselves, as ndots says", () => {
  const search = ["ns.svc.cluster.local.", "svc.cluster.local."];
  assert.deepEqual(searchNames("api", search, 5), ["api.ns.svc.cluster.local.", "api.svc.cluster.local.", "api."]);
  assert.deepEqual(searchNames("a.b", search, 1), ["a.b.", "a.b.ns.svc.cluster.local.", "a.b.svc.cluster.local."]);
  assert.deepEqual(searchNames("a.b", [], 5), ["a.b."]);
  assert.deepEqual(searchNames("rooted.", search, 5), ["rooted."]);
  assert.deepEqual(searchNames("x.onion", search, 1), ["x.onion.ns.svc.cluster.local.", "x.onion.svc.cluster.local."]);
  // What is too long with a suffix is asked for as it is.
  const long = `${"a".repeat(60)}.`.repeat(4) + "b";
  assert.deepEqual(searchNames(long, search, 9), [`${long}.`]);
});

Deno.test("hosts: names in any case and with a final dot, several lines of one name, comments, zones", () => {
  const hosts = parseHosts(
    "127.0.0.1 localhost Host.Example. # self\n::1 localhost\n10.0.0.1\thost.example\n# 1.2.3.4 no\nnot-an-address x\n" +
      "fe80::1%lo0 zoned\n10.0.0.1 host.example\n",
  );
  assert.deepEqual(hosts.get("localhost"), ["127.0.0.1", "::1"]);
  assert.deepEqual(hosts.get("host.example"), ["127.0.0.1", "10.0.0.1"]);
  assert.deepEqual(hosts.get("zoned"), ["fe80::1%lo0"]);
  assert.equal(hosts.get("x"), undefined);
  assert.equal(hosts.get("no"), undefined);
});

Deno.test("nsswitch.conf: the order of hosts file and name servers, and whether there is more", () => {
  const sources = (text: string) => parseHostSources(text);
  assert.deepEqual(sources(""), { order: ["files", "dns"], others: false });
  assert.deepEqual(sources("passwd: files\nhosts:  dns files # odd\n"), { order: ["dns", "files"], others: false });
  assert.deepEqual(sources("hosts: files mdns4_minimal [NOTFOUND=return] dns\n"), {
    order: ["files", "dns"],
    others: true,
  });
  assert.deepEqual(sources("hosts: files\n"), { order: ["files"], others: false });
});
