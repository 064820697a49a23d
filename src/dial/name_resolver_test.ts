import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { NameFiles, NameServer, noSuchName, serverFailure } from "../../tests/support/fakes/name_server.ts";
import { until } from "../../tests/support/assert/until.ts";
import { LookupError } from "./dns/lookup_error.ts";
import { type LookupOptions, NameResolver } from "./name_resolver.ts";
import { resolverLimits } from "./resolver_limits.ts";
import { systemClock } from "../runtime/system_clock.ts";
import { VirtualClock } from "../../tests/support/fakes/virtual_clock.ts";

const never = new AbortController().signal;

/** Looks up both families, without waiting for a late one. */
const both: LookupOptions = { family: 0, complete: false, signal: never };

async function failureOf(lookup: Promise<unknown>): Promise<LookupError> {
  const outcome = await lookup.then((value) => value, (error) => error);
  if (outcome instanceof LookupError) return outcome;
  return assert.fail(`no failure but ${Deno.inspect(outcome)}`);
}

leakTest("names of the hosts file and localhost are known without a name server", async () => {
  await using server = await NameServer.listen(() => undefined);
  using files = new NameFiles({ hosts: "10.0.0.7 db\nfd00::7 db\n10.0.0.8 other.localhost\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("DB.", both), ["10.0.0.7", "fd00::7"]);
  assert.deepEqual(await resolver.lookup("db", { ...both, family: 6 }), ["fd00::7"]);
  assert.deepEqual(await resolver.lookup("localhost", both), ["127.0.0.1", "::1"]);
  assert.deepEqual(await resolver.lookup("x.LocalHost.", { ...both, family: 4 }), ["127.0.0.1"]);
  assert.deepEqual(await resolver.lookup("other.localhost", both), ["10.0.0.8"]);
  assert.deepEqual(await resolver.lookup("10.1.2.3", both), ["10.1.2.3"]);
  assert.deepEqual(server.asked, []);
});

leakTest("files that change count within five seconds, as in Go, and are not read before", async () => {
  await using server = await NameServer.listen(() => noSuchName);
  using files = new NameFiles({ hosts: "10.0.0.1 db\n", resolvConf: "nameserver 127.0.0.1\n" });
  const clock = new VirtualClock();
  const resolver = new NameResolver({ files, port: server.port, clock });
  assert.deepEqual(await resolver.lookup("db", both), ["10.0.0.1"]);
  files.write({ hosts: "10.0.0.2 db\n10.0.0.3 db\n", resolvConf: "search a.example\nnameserver 127.0.0.1\n" });
  clock.advance(4_000);
  assert.deepEqual(await resolver.lookup("db", both), ["10.0.0.1"]);
  clock.advance(1_000);
  assert.deepEqual(await resolver.lookup("db", both), ["10.0.0.2", "10.0.0.3"]);
  await failureOf(resolver.lookup("other", both));
  clock.advance(5_000);
  await Deno.remove(files.hosts);
  await failureOf(resolver.lookup("db", both));
  assert.equal(server.times("other.a.example"), 2);
});

leakTest("a name is asked for with the search list, both families at once, and what exists is taken", async () => {
  await using server = await NameServer.listen(({ name }) =>
    name === "api.svc.cluster.local" ? ["10.0.0.1", "fd00::1", "10.0.0.2"] : noSuchName
  );
  const conf = "search ns.svc.cluster.local svc.cluster.local\nnameserver 127.0.0.1\noptions ndots:5\n";
  using files = new NameFiles({ resolvConf: conf });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  const found = [...await resolver.lookup("api", { ...both, complete: true })].sort();
  assert.deepEqual(found, ["10.0.0.1", "10.0.0.2", "fd00::1"]);
  assert.deepEqual(server.asked.map(({ name }) => name), [
    "api.ns.svc.cluster.local",
    "api.ns.svc.cluster.local",
    "api.svc.cluster.local",
    "api.svc.cluster.local",
  ]);
  const failure = await failureOf(resolver.lookup("nobody", both));
  assert.equal(failure.message, `lookup nobody on 127.0.0.1:${server.port}: no such host`);
  assert.equal(failure.code, "no-such-host");
});

leakTest("a name without addresses is no host, one of digits alone is not even asked for", async () => {
  await using server = await NameServer.listen(() => []);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  const empty = await failureOf(resolver.lookup("empty.example", both));
  assert.equal(empty.message, `lookup empty.example on 127.0.0.1:${server.port}: no such host`);
  const before = server.asked.length;
  for (const host of ["127.1", "0x7f.1", "-a", "a..b", "é", "a b", `${"x".repeat(64)}.example`]) {
    assert.equal((await failureOf(resolver.lookup(host, both))).message, `lookup ${host}: no such host`);
  }
  assert.equal(server.asked.length, before);
});

leakTest("a server that fails, or is silent, leaves its place to the next one", async () => {
  await using first = await NameServer.listen(() => serverFailure);
  await using second = await NameServer.listen(() => ["10.0.0.1"], "127.0.0.2", first.port);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.2\n" });
  const resolver = new NameResolver({ files, port: first.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("a.example", both), ["10.0.0.1"]);
  first.reply = () => undefined;
  assert.deepEqual(await resolver.lookup("b.example", both), ["10.0.0.1"]);
  // Of an answer that comes late, after the other server was asked, nothing is lost.
  let late: ((reply: readonly string[]) => void) | undefined;
  first.reply = ({ type }) => type === "A" ? new Promise((resolve) => late = resolve) : [];
  second.reply = ({ type }) => {
    if (type === "A") late?.(["10.0.0.9"]);
    return undefined;
  };
  assert.deepEqual(await resolver.lookup("c.example", both), ["10.0.0.9"]);
  first.reply = () => serverFailure;
  second.reply = () => serverFailure;
  const failure = await failureOf(resolver.lookup("d.example", both));
  assert.equal(failure.message, `lookup d.example on 127.0.0.2:${first.port}: server misbehaving`);
  assert.equal(failure.code, "misbehaving");
});

leakTest("a name server may have an IPv6 address", async () => {
  await using server = await NameServer.listen(
    ({ over }) => over === "udp" ? { truncated: true } : ["10.0.0.1"],
    "::1",
  );
  using files = new NameFiles({ resolvConf: "nameserver ::1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("a.example", both), ["10.0.0.1"]);
  server.reply = () => noSuchName;
  const failure = await failureOf(resolver.lookup("b.example", both));
  assert.equal(failure.message, `lookup b.example on [::1]:${server.port}: no such host`);
});

leakTest("the system's library is asked only for what the files name other sources for", async () => {
  await using server = await NameServer.listen(() => noSuchName);
  const resolvConf = "nameserver 127.0.0.1\n";
  using files = new NameFiles({ resolvConf, nsswitch: "hosts: files mdns4_minimal dns\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  let passed = 0;
  const { gate } = resolver;
  const pass = gate.pass.bind(gate);
  gate.pass = (signal, use) => {
    passed++;
    return pass(signal, use);
  };
  const failure = await failureOf(resolver.lookup("nobody.invalid", both));
  assert.match(failure.message, /^lookup nobody\.invalid: (no such host|server misbehaving)$/);
  assert.equal(passed, 1);
  files.write({ nsswitch: "hosts: files dns\n" });
  const plain = new NameResolver({ files, port: server.port, clock: systemClock });
  await failureOf(plain.lookup("nobody.invalid", both));
  assert.equal(passed, 1);
});

leakTest("rotate begins with another server each time", async () => {
  await using first = await NameServer.listen(() => ["10.0.0.1"]);
  await using second = await NameServer.listen(() => ["10.0.0.2"], "127.0.0.2", first.port);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions rotate\n" });
  const resolver = new NameResolver({ files, port: first.port, clock: systemClock });
  const found: string[] = [];
  for (const name of ["a.example", "b.example", "c.example", "d.example"]) {
    found.push(...await resolver.lookup(name, { ...both, family: 4 }));
  }
  assert.deepEqual(found, ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.2"]);
  assert.equal(second.asked.length, 2);
});

leakTest("a server that does not answer is a timeout after the times that resolv.conf gives", async () => {
  await using server = await NameServer.listen(() => undefined);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  const failure = await failureOf(resolver.lookup("a.example", { ...both, family: 4 }));
  assert.equal(failure.message, `lookup a.example on 127.0.0.1:${server.port}: i/o timeout`);
  assert.equal(failure.code, "timeout");
  assert.equal(server.asked.length, 2);
});

leakTest("a datagram that is lost costs a second, not the dial", async () => {
  let lost = 0;
  await using server = await NameServer.listen(() => ++lost <= 2 ? undefined : ["10.0.0.1"]);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("a.example", both), ["10.0.0.1"]);
});

leakTest("what fits into no datagram comes over TCP, and with use-vc everything does", async () => {
  const many = Array.from({ length: 200 }, (_, at) => `10.0.0.${at}`);
  await using server = await NameServer.listen(({ over }) => over === "udp" ? { truncated: true } : many);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("many.example", { ...both, family: 4 }), many);
  files.write({ resolvConf: "nameserver 127.0.0.1\noptions use-vc\n" });
  const over = new NameResolver({ files, port: server.port, clock: systemClock });
  server.asked.length = 0;
  assert.deepEqual(await over.lookup("many.example", { ...both, family: 4 }), many);
  assert.deepEqual(server.asked, [{ name: "many.example", type: "A", over: "tcp" }]);
});

leakTest("a family that nobody answers for does not hold up the other", async () => {
  await using server = await NameServer.listen(({ type }) => type === "A" ? ["10.0.0.1"] : undefined);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.deepEqual(await resolver.lookup("a.example", both), ["10.0.0.1"]);
  // Nothing of the first look-up goes on, or this test would leave its socket.
  files.write({ resolvConf: "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n" });
  const whole = new NameResolver({ files, port: server.port, clock: systemClock });
  server.asked.length = 0;
  assert.deepEqual(await whole.lookup("b.example", { ...both, complete: true }), ["10.0.0.1"]);
});

leakTest("one name is asked for once however many wait for it, and given up when nobody does", async () => {
  let answer: ((addresses: readonly string[]) => void) | undefined;
  await using server = await NameServer.listen(() => new Promise((resolve) => answer = resolve));
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  const leave = new AbortController();
  const options: LookupOptions = { ...both, family: 4 };
  const waiting = Array.from({ length: 50 }, () => resolver.lookup("a.example", options));
  const leaving = Array.from({ length: 50 }, () => resolver.lookup("a.example", { ...options, signal: leave.signal }));
  await until("the name was asked for", () => answer !== undefined);
  leave.abort(new Error("client left"));
  for (const each of await Promise.allSettled(leaving)) assert.equal(each.status, "rejected");
  assert.equal(resolver.inFlight, 1);
  answer?.(["10.0.0.1"]);
  for (const addresses of await Promise.all(waiting)) assert.deepEqual(addresses, ["10.0.0.1"]);
  assert.equal(server.asked.length, 1);
  assert.equal(resolver.inFlight, 0);
  // The next one asks anew.
  const again = resolver.lookup("a.example", { ...options, signal: AbortSignal.timeout(60_000) });
  await until("it was asked for again", () => server.asked.length === 2);
  answer?.(["10.0.0.2"]);
  assert.deepEqual(await again, ["10.0.0.2"]);
});

for (const names of [100, 300, 2_000]) {
  leakTest(
    `${names} names at a silent name server hold up no other name, and are given up when nobody waits`,
    async () => {
      await using server = await NameServer.listen(({ name }) => name.startsWith("silent") ? undefined : ["10.0.0.1"]);
      // A busy machine loses some of so many datagrams, and the look-up that counts may be among them more than once.
      const resolvConf = "nameserver 127.0.0.1\noptions timeout:30 attempts:30\n";
      using files = new NameFiles({ hosts: "10.0.0.7 db\n", resolvConf });
      const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
      const leave = new AbortController();
      const options: LookupOptions = { ...both, signal: leave.signal };
      // Looked after from the start: on a busy machine they may time out before the others are answered.
      const silent = Promise.allSettled(
        Array.from({ length: names }, (_, at) => resolver.lookup(`silent-${at}.example`, options)),
      );
      assert.equal(resolver.inFlight, names);
      assert.deepEqual(await resolver.lookup("db", both), ["10.0.0.7"]);
      assert.deepEqual(await resolver.lookup("localhost", both), ["127.0.0.1", "::1"]);
      assert.deepEqual(await resolver.lookup("good.example", both), ["10.0.0.1"]);
      leave.abort(new Error("client left"));
      await silent;
      assert.equal(resolver.inFlight, 0);
    },
  );
}

leakTest("nobody takes more than its share of the look-ups, nor all more than there may be", async () => {
  await using server = await NameServer.listen(({ name }) => name.startsWith("silent") ? undefined : ["10.0.0.1"]);
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\n" });
  const limits = { ...resolverLimits, maxLookups: 5, maxLookupsOfOne: 3, maxSockets: 2 };
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock, limits });
  const leave = new AbortController();
  const [greedy, other] = [{}, {}];
  const ask = (name: string, asker: object) => resolver.lookup(name, { ...both, asker, signal: leave.signal });
  const silent = [1, 2, 3].map((at) => ask(`silent-${at}`, greedy));
  assert.equal((await failureOf(ask("silent-3a", greedy))).code, "too-many");
  assert.match(
    (await failureOf(ask("silent-4", greedy))).message,
    /lookup silent-4: too many names are being looked up: 3, 3 of them for this link/,
  );
  assert.deepEqual(await ask("good", other), ["10.0.0.1"]);
  silent.push(ask("silent-5", other), ask("silent-6", other));
  assert.match((await failureOf(ask("good", other))).message, /too many names are being looked up: 5, 2 of them/);
  // A name that is being asked for takes no place of its own.
  const shared = ask("silent-1", other);
  leave.abort(new Error("client left"));
  await Promise.allSettled([...silent, shared]);
  assert.equal(resolver.inFlight, 0);
  assert.deepEqual(await resolver.lookup("good", { ...both, asker: greedy }), ["10.0.0.1"]);
});

leakTest("an answer from elsewhere, to another question or malformed is not taken", async () => {
  await using server = await NameServer.listen(({ type }) =>
    type === "A" ? { bytes: (query) => query.slice(0, 20) } : { bytes: (query) => Uint8Array.from(query, (b) => b ^ 1) }
  );
  using files = new NameFiles({ resolvConf: "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n" });
  const resolver = new NameResolver({ files, port: server.port, clock: systemClock });
  assert.equal((await failureOf(resolver.lookup("a.example", both))).code, "timeout");
});
