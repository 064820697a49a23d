import ipaddr from "ipaddr.js";
import { isIP } from "node:net";
import { allowedNameFault, AllowedNames } from "../../../../src/wire/destination/allowed_names.ts";
import { readHost } from "../../../../src/wire/destination/destination_host.ts";
import { judge, judgeAsked, judgeName } from "../../../../src/wire/destination/destination_policy.ts";
import { type DestinationRule, parseDestinationRule } from "../../../../src/wire/destination/destination_rule.ts";
import { formatHostPort, parseHostPort } from "../../../../src/wire/destination/host_port.ts";
import { formsOf, inRange, parseIp, parseIpRange } from "../../../../src/wire/destination/ip_address.ts";
import type { FuzzTarget } from "../target.ts";
import { holds, textOf } from "./texts.ts";

const addressTexts: readonly string[] = [
  "10.0.0.1",
  "::1",
  "fd00::1:2",
  "::ffff:10.0.0.1",
  "64:ff9b::10.0.0.1",
  "fe80::1%eth0",
  "1:2:3:4:5:6:7:8",
];

/** Addresses and ranges, beside the runtime's own reading and that of a library. */
export const addresses: FuzzTarget = {
  name: "addresses",
  modules: ["src/wire/destination/ip_address.ts", "src/wire/destination/destination_host.ts"],
  seeds: [...addressTexts, "10.0.0.0/8", "fd00::/8", "::ffff:10.0.0.0/104", "web.example.", "127.1", "0x7f.1"],
  maxBytes: 64,
  run(input) {
    const text = textOf(input);
    const address = parseIp(text);
    // The runtime takes no zone with a colon or a dot in it; ours is no address of its own.
    if (!text.includes("%")) {
      holds((address === undefined) === (isIP(text) === 0), () => `${text} as the runtime has it`);
    }
    if (address !== undefined) {
      const shown = address.toString();
      holds(parseIp(shown)?.toString() === shown, () => `${shown} is read again`);
      if (isIP(text) === 6 && !text.includes("%") && !text.includes(".")) {
        const other = ipaddr.process(text).toString();
        holds(other === shown, () => `${text} is ${other}, not ${shown}`);
      }
      holds(formsOf(address).some((form) => form.toString() === shown), () => "an address is one of its forms");
    }
    const range = parseIpRange(text);
    if (range !== undefined) holds(inRange(range.network, range), () => `${text} holds its own network`);
    const host = readHost(text);
    if (host.kind === "name") holds(isIP(host.name) === 0, () => `${host.name} is no address`);
    if (host.kind === "address") {
      const again = readHost(host.text);
      holds(again.kind === "address" && again.text === host.text, () => `${host.text} is read again`);
    }
  },
};

/** `host:port` as a client asks for it. */
export const hostPorts: FuzzTarget = {
  name: "host-ports",
  modules: ["src/wire/destination/host_port.ts", "src/wire/destination/destination_host.ts"],
  seeds: ["web.default.svc:80", "[fd00::1]:443", "10.0.0.1:65535", ":0", "[::1%lo]:1"],
  maxBytes: 64,
  run(input) {
    const text = textOf(input);
    const read = parseHostPort(text);
    if (typeof read === "string") return;
    holds(Number.isInteger(read.port) && read.port >= 0 && read.port <= 65_535, () => `port ${read.port}`);
    const again = parseHostPort(formatHostPort(read.host, read.port));
    const same = typeof again !== "string" && again.host === read.host && again.port === read.port;
    // A host in brackets that has no colon is written without them.
    holds(same || read.host.includes("]"), () => `${text} is written and read again`);
    readHost(read.host);
  },
};

/** Entries of `--destinations` and its like, and what they say of hosts. */
export const destinationRules: FuzzTarget = {
  name: "destination-rules",
  modules: ["src/wire/destination/"],
  seeds: [
    "*\nweb.example\n80",
    "*.svc.cluster.local:443\nweb.svc.cluster.local\n443",
    "10.0.0.0/8:8000-8080\n10.1.2.3\n8001",
    "[fd00::]/8:443\nfd00::1\n443",
    "::ffff:10.0.0.1\n10.0.0.1\n80",
    "64:ff9b::/96\n64:ff9b::a00:1\n80",
  ],
  maxBytes: 160,
  run(input) {
    const [entry = "", host = "", port = ""] = textOf(input).split("\n");
    const rule = parseDestinationRule(entry);
    if (typeof rule === "string") return;
    holds(rule.firstPort >= 0 && rule.firstPort <= rule.lastPort && rule.lastPort <= 65_535, () => `${entry}: ports`);
    judgeBoth(rule, host, Number(port) & 0xffff);
  },
};

/** What a rule allows as an entry of the one list it refuses as an entry of the other. */
function judgeBoth(rule: DestinationRule, host: string, port: number): void {
  const asked = readHost(host);
  const allowed = judgeAsked({ allow: [rule], deny: [] }, asked, port) === undefined;
  const denied = judgeAsked({ allow: [], deny: [rule] }, asked, port) === "denied";
  holds(asked.kind === "none" || allowed === denied, () => `${host}:${port} is in one list as in the other`);
  holds(judgeAsked({ allow: [rule], deny: [rule] }, asked, port) !== undefined, () => "what is denied is not allowed");
  if (asked.kind === "name") judgeName({ allow: [rule], deny: [] }, asked.name, port);
  if (asked.kind === "address") {
    const one = judge({ allow: [rule], deny: [] }, asked, asked.address, port) === undefined;
    holds(one === allowed, () => `${host} is judged alike, asked for or found`);
  }
}

/** Patterns of certificates' names. */
export const certificateNamePatterns: FuzzTarget = {
  name: "allowed-names",
  modules: ["src/wire/destination/allowed_names.ts"],
  seeds: [
    "*.example.com\na.example.com",
    "spiffe://cluster/*/agent\nspiffe://cluster/ns/agent",
    "a*b*c*\nabc",
    "::1\n::1",
  ],
  maxBytes: 200,
  // A name costs its length times that of a pattern that is all stars, which an operator has written.
  maxWork: (bytes) => 100_000 + 2000 * bytes + 20 * bytes * bytes,
  largeBytes: 2048,
  run(input) {
    const [entry = "", name = ""] = textOf(input).split("\n");
    if (allowedNameFault(entry) !== undefined) return;
    const names = {
      commonName: name,
      organizations: [],
      dnsNames: [name],
      addresses: [name],
      uris: [name],
      emails: [],
    };
    const list = new AllowedNames([entry]);
    const allowed = list.allows({ ...names, serial: "", notAfter: "" });
    if (entry === name && name !== "" && !entry.includes(":")) holds(allowed, () => `${name} allows itself`);
    if (!entry.includes("*") && !entry.includes(":") && /^[ -~]*$/.test(entry + name)) {
      const bare = name.toLowerCase().replace(/\.$/, "");
      holds(!allowed || entry === name || entry.toLowerCase() === bare, () => `${entry} does not allow ${name}`);
    }
  },
};
