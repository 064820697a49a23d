import assert from "node:assert/strict";
import fc from "fast-check";
import { readHost } from "./destination_host.ts";
import {
  type DestinationLists,
  judge,
  judgeAsked,
  judgeName,
  namesExactly,
  namesWithin,
  type Verdict,
} from "./destination_policy.ts";
import { parseDestinationRule } from "./destination_rule.ts";
import { inRange, type IpAddress, ipRange, parseIp } from "./ip_address.ts";

function lists(allow: string, deny = ""): DestinationLists {
  const rules = (text: string) =>
    text.split(",").filter((entry) => entry !== "").map((entry) => {
      const rule = parseDestinationRule(entry);
      return typeof rule === "string" ? assert.fail(`${entry} ${rule}`) : rule;
    });
  return { allow: rules(allow), deny: rules(deny) };
}

function ip(text: string): IpAddress {
  return parseIp(text) ?? assert.fail(text);
}

function verdict(policy: DestinationLists, host: string, address: string, port: number): Verdict | "allowed" {
  return judge(policy, readHost(host), ip(address), port) ?? "allowed";
}

Deno.test("without lists everything is allowed, with --destinations only what it names", () => {
  assert.equal(verdict(lists(""), "a", "10.0.0.1", 1), "allowed");
  const some = lists("10.0.0.0/8:443,web.example,*.svc:80-90,[fd00::]/8");
  assert.equal(verdict(some, "10.0.0.1", "10.0.0.1", 443), "allowed");
  assert.equal(verdict(some, "10.0.0.1", "10.0.0.1", 80), "unlisted");
  assert.equal(verdict(some, "web.example", "192.0.2.1", 7), "allowed");
  assert.equal(verdict(some, "WEB.example.", "192.0.2.1", 7), "allowed");
  assert.equal(verdict(some, "192.0.2.1", "192.0.2.1", 7), "unlisted");
  assert.equal(verdict(some, "a.svc", "192.0.2.1", 85), "allowed");
  assert.equal(verdict(some, "svc", "192.0.2.1", 85), "unlisted");
  assert.equal(verdict(some, "fd00::9", "fd00::9", 1), "allowed");
});

Deno.test("a name is what it resolves to: a range allows it, and denies it", () => {
  assert.equal(verdict(lists("10.0.0.0/8"), "db.example", "10.1.1.1", 5432), "allowed");
  assert.equal(verdict(lists("10.0.0.0/8"), "db.example", "192.0.2.1", 5432), "unlisted");
  assert.equal(verdict(lists("", "10.0.0.0/8"), "db.example", "10.1.1.1", 5432), "denied");
});

Deno.test("deny wins over allow, by name, address and port", () => {
  const policy = lists("*,10.0.0.1:22", "10.0.0.1,*.internal,*:25");
  assert.equal(verdict(policy, "10.0.0.1", "10.0.0.1", 22), "denied");
  assert.equal(verdict(policy, "a.internal", "192.0.2.1", 80), "denied");
  assert.equal(verdict(policy, "a.example", "192.0.2.1", 25), "denied");
  assert.equal(verdict(policy, "a.example", "192.0.2.1", 80), "allowed");
});

Deno.test("forms of an address are the address: mapped, and behind a NAT64 gateway", () => {
  const policy = lists("", "10.0.0.0/8,169.254.169.254");
  for (const address of ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1", "64:ff9b::10.0.0.1"]) {
    assert.equal(verdict(policy, address, address, 80), "denied", address);
  }
  assert.equal(verdict(policy, "64:ff9b::a9fe:a9fe", "64:ff9b::a9fe:a9fe", 80), "denied");
});

Deno.test("a name is refused before it is resolved only where no address could change that", () => {
  assert.equal(judgeName(lists("10.0.0.0/8"), "a.example", 80), undefined);
  assert.equal(judgeName(lists("10.0.0.0/8:443"), "a.example", 80), "unlisted");
  assert.equal(judgeName(lists("*.svc"), "a.example", 80), "unlisted");
  assert.equal(judgeName(lists("*.svc"), "a.svc", 80), undefined);
  assert.equal(judgeName(lists("", "*.svc"), "a.svc", 80), "denied");
  assert.equal(judgeName(lists("", "10.0.0.0/8"), "a.svc", 80), undefined);
  assert.equal(judgeName(lists(""), "a.svc", 80), undefined);
});

Deno.test("a server judges what was asked for: names by names, addresses in every form by ranges", () => {
  const asked = (policy: DestinationLists, host: string, port = 80) =>
    judgeAsked(policy, readHost(host), port) ?? "allowed";
  const policy = lists("*.svc,10.0.0.0/8", "10.9.0.0/16,db.svc");
  assert.equal(asked(policy, "web.svc"), "allowed");
  assert.equal(asked(policy, "web.example"), "unlisted");
  assert.equal(asked(policy, "db.svc."), "denied");
  assert.equal(asked(policy, "::ffff:10.1.1.1"), "allowed");
  assert.equal(asked(policy, "::ffff:10.9.1.1"), "denied");
  assert.equal(asked(policy, "192.0.2.1"), "unlisted");
  assert.equal(asked(lists("*.svc"), "web.example"), "unlisted");
  assert.equal(asked(lists("", "db.svc"), "web.example"), "allowed");
  assert.equal(asked(lists("*"), "web.example"), "allowed");
  assert.equal(asked(lists("*", "*:25"), "web.example", 25), "denied");
  assert.equal(asked(lists("", "db.svc"), "127.1"), "denied");
  // An agent of another version may take these for addresses.
  for (const host of ["127.1", "2130706433", "0x7f.1"]) {
    assert.equal(asked(policy, host), "denied", host);
    assert.equal(asked(lists("*.svc"), host), "unlisted", host);
    assert.equal(asked(lists(""), host), "allowed", host);
  }
});

Deno.test("what is refused by itself is lifted by an entry inside of it, not by a wider one or a name", () => {
  const guard = ipRange("169.254.0.0/16");
  const lifts = (allow: string, port = 53) => namesWithin(lists(allow), guard, ip("169.254.20.10"), port);
  for (const entry of ["169.254.20.10", "169.254.20.10:53", "169.254.20.0/24", "169.254.0.0/16"]) {
    assert.ok(lifts(entry), entry);
  }
  for (const entry of ["*", "0.0.0.0/0", "169.0.0.0/8", "*.svc", "169.254.20.11", "169.254.20.10:54"]) {
    assert.ok(!lifts(entry), entry);
  }
  const exactly = (allow: string) => namesExactly(lists(allow), ip("127.0.0.1"), 8094);
  assert.ok(exactly("127.0.0.1:8094"));
  for (const entry of ["127.0.0.1", "127.0.0.0/8:8094", "*:8094", "localhost:8094", "127.0.0.1:8000-9000"]) {
    assert.ok(!exactly(entry), entry);
  }
});

Deno.test("an address is allowed exactly where a range of --destinations has it and none of --deny-destinations", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  const range = fc.record({
    address: fc.ipV4(),
    bits: fc.integer({ min: 0, max: 32 }),
    ports: fc.option(fc.tuple(port, port)),
  });
  fc.assert(
    fc.property(
      fc.array(range, { minLength: 1, maxLength: 4 }),
      fc.array(range, { maxLength: 2 }),
      fc.ipV4(),
      port,
      (allow, deny, address, asked) => {
        const entries = (all: typeof allow) =>
          all.map(({ address: base, bits, ports }) =>
            `${base}/${bits}${ports === null ? "" : `:${Math.min(...ports)}-${Math.max(...ports)}`}`
          ).join(",");
        const matches = (all: typeof allow) =>
          all.some(({ address: base, bits, ports }) =>
            inRange(ip(address), ipRange(`${base}/${bits}`)) &&
            (ports === null || (asked >= Math.min(...ports) && asked <= Math.max(...ports)))
          );
        const expected = matches(deny) ? "denied" : matches(allow) ? "allowed" : "unlisted";
        assert.equal(verdict(lists(entries(allow), entries(deny)), address, address, asked), expected);
      },
    ),
    { numRuns: 1_000 },
  );
});
