import assert from "node:assert/strict";
import fc from "fast-check";
import { coversPort, type DestinationRule, matchesName, parseDestinationRule } from "./destination_rule.ts";

function ruleOf(entry: string): DestinationRule {
  const rule = parseDestinationRule(entry);
  return typeof rule === "string" ? assert.fail(`${entry} ${rule}`) : rule;
}

function shown(entry: string): string {
  const { host, firstPort, lastPort } = ruleOf(entry);
  const ports = `${firstPort}-${lastPort}`;
  switch (host.kind) {
    case "any":
      return `any ${ports}`;
    case "name":
      return `name ${host.name} ${ports}`;
    case "suffix":
      return `suffix ${host.suffix} ${ports}`;
    case "range":
      return `range ${host.range.network}/${host.range.bits} ${ports}`;
  }
}

Deno.test("an entry names hosts and ports", () => {
  const entries: Readonly<Record<string, string>> = {
    "*": "any 0-65535",
    "*:443": "any 443-443",
    "web.example": "name web.example 0-65535",
    "Web.Example.:80": "name web.example 80-80",
    "*.svc:443": "suffix .svc 443-443",
    "*.svc.cluster.local": "suffix .svc.cluster.local 0-65535",
    "10.1.2.3": "range 10.1.2.3/32 0-65535",
    "10.1.2.3:22": "range 10.1.2.3/32 22-22",
    "10.0.0.0/8": "range 10.0.0.0/8 0-65535",
    "10.0.0.0/8:8000-8100": "range 10.0.0.0/8 8000-8100",
    "fd00::1": "range fd00::1/128 0-65535",
    "[fd00::1]": "range fd00::1/128 0-65535",
    "[fd00::1]:443": "range fd00::1/128 443-443",
    "fd00::/8": "range fd00::/8 0-65535",
    "[fd00::]/8:10250": "range fd00::/8 10250-10250",
    "[fd00::/8]:10250": "range fd00::/8 10250-10250",
    "[::ffff:10.0.0.1]:1": "range 10.0.0.1/32 1-1",
  };
  for (const [entry, rule] of Object.entries(entries)) assert.equal(shown(entry), rule, entry);
});

Deno.test("what is no entry is refused with what is wrong", () => {
  const faults: Readonly<Record<string, RegExp>> = {
    "": /^names no host/,
    ":443": /^names no host/,
    "a:0": /^has a port that is none/,
    "a:65536": /^has a port that is none/,
    "a:http": /^has a port that is none/,
    "a:": /^has a port that is none/,
    "a:9-8": /^has a port that is none/,
    "a:1-2-3": /^has a port that is none/,
    "a:-1": /^has a port that is none/,
    "10.0.0.0/33": /^is no range/,
    "10.0/8": /^is no range/,
    "host/8": /^is no range/,
    "127.1": /^is no IPv4 address/,
    "0177.0.0.1": /^is no IPv4 address/,
    "2130706433": /^is no IPv4 address/,
    "0x7f.1": /^is no name/,
    "[10.0.0.1]": /^is no/,
    "[::1": /^is no IPv6/,
    "::g": /^is no IPv6/,
    "fe80::1%eth0": /^has a zone/,
    "a*": /^is no name/,
    "*a": /^is no name/,
    "*.*": /^is no name/,
    "*.": /^is no name/,
    "*.10.0.0.1": /^is no name/,
    "a b": /^is no name/,
  };
  for (const [entry, fault] of Object.entries(faults)) {
    const rule = parseDestinationRule(entry);
    assert.match(typeof rule === "string" ? rule : `accepted as ${shown(entry)}`, fault, entry);
  }
});

Deno.test("*.suffix names what is below the suffix, not the suffix itself and not what merely ends like it", () => {
  const { host } = ruleOf("*.svc.cluster.local");
  assert.ok(matchesName(host, "web.svc.cluster.local"));
  assert.ok(matchesName(host, "a.b.svc.cluster.local"));
  assert.ok(!matchesName(host, "svc.cluster.local"));
  assert.ok(!matchesName(host, "evilsvc.cluster.local"));
});

Deno.test("a rule covers exactly the ports from its first to its last", () => {
  const port = fc.integer({ min: 1, max: 65535 });
  fc.assert(fc.property(port, port, port, (a, b, asked) => {
    const [first, last] = a < b ? [a, b] : [b, a];
    assert.equal(coversPort(ruleOf(`[fd00::]/8:${first}-${last}`), asked), asked >= first && asked <= last);
    assert.equal(coversPort(ruleOf(`*.svc:${first}`), asked), asked === first);
    assert.ok(coversPort(ruleOf("10.0.0.0/8"), asked));
  }));
});

Deno.test("any text is an entry or is refused, and never throws", () => {
  const piece = fc.constantFrom("*", ".", ":", "[", "]", "/", "-", "8", "10.0.0.1", "fd00::", "a", "%", "443", " ");
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(piece, { maxLength: 8 }).map((all) => all.join(""))), (entry) => {
      const rule = parseDestinationRule(entry);
      assert.ok(typeof rule === "string" ? rule !== "" : rule.firstPort <= rule.lastPort);
    }),
    { numRuns: 2_000 },
  );
});
