import { isIP } from "node:net";
import { parseHosts } from "../../../../src/dial/dns/hosts.ts";
import { decodeAnswer, encodeQuery, type Question, recordType } from "../../../../src/dial/dns/message.ts";
import { parseResolvConf } from "../../../../src/dial/dns/resolv_conf.ts";
import { searchNames } from "../../../../src/dial/dns/search_names.ts";
import type { FuzzTarget } from "../target.ts";
import { holds, textOf } from "./texts.ts";

const question: Question = { name: "web.default.svc.cluster.local.", type: recordType.AAAA };
const question4: Question = { ...question, type: recordType.A };

function answer(asked: Question, records: string): Uint8Array {
  const query = encodeQuery(7, asked);
  const head = query.slice(0, query.length - 11);
  head.set([0x81, 0x80], 2);
  head.set([0, 1, 0, records === "" ? 0 : 1, 0, 0, 0, 0], 4);
  return Uint8Array.of(...head, ...Uint8Array.fromHex(records));
}

/** Answers of name servers. */
export const dnsAnswers: FuzzTarget = {
  name: "dns-answers",
  modules: ["src/dial/dns/message.ts"],
  seeds: [
    answer(question, "c00c001c00010000001e0010fd000000000000000000000000000001"),
    answer(question4, "c00c000100010000001e00040a000001"),
    answer(question4, "c00c000500010000001e0006036e6f64c00c"),
    answer(question4, ""),
  ],
  run(input) {
    for (const asked of [question, question4]) {
      const read = decodeAnswer(input, asked);
      if (read === undefined) continue;
      const family = asked.type === recordType.A ? 4 : 6;
      for (const address of read.addresses) holds(isIP(address) === family, () => `${address} is an address`);
      holds(read.addresses.length <= input.length / 4, () => "no address comes from nowhere");
    }
  },
};

/** `/etc/resolv.conf`. */
export const resolvConf: FuzzTarget = {
  name: "resolv-conf",
  modules: ["src/dial/dns/resolv_conf.ts", "src/dial/dns/search_names.ts"],
  seeds: [
    "nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
    "# by hand\nnameserver fe80::1%eth0\nnameserver 127.0.0.53\noptions edns0 trust-ad timeout:1 attempts:3 rotate\n",
    "domain example.com.\noptions use-vc single-request-reopen\n",
  ],
  run(input) {
    const conf = parseResolvConf(textOf(input));
    for (const server of conf.servers) holds(isIP(server) !== 0, () => `${server} is an address`);
    holds(conf.servers.length >= 1 && conf.servers.length <= 3, () => "one to three servers");
    holds(conf.ndots >= 0 && conf.ndots <= 15, () => `ndots ${conf.ndots}`);
    holds(conf.timeoutMs >= 1000 && conf.timeoutMs <= 300_000, () => `timeout ${conf.timeoutMs}`);
    holds(conf.attempts >= 1 && conf.attempts <= 100, () => `attempts ${conf.attempts}`);
    for (const suffix of conf.search) holds(suffix.endsWith("."), () => `suffix ${suffix} ends with a dot`);
    for (const name of searchNames("web.default", conf.search, conf.ndots)) {
      holds(name.endsWith(".") && name.length <= 254, () => `${name} is a full name`);
    }
  },
};

/** `/etc/hosts`. */
export const hosts: FuzzTarget = {
  name: "hosts",
  modules: ["src/dial/dns/hosts.ts"],
  seeds: ["127.0.0.1\tlocalhost\n::1 localhost ip6-localhost # loopback\n10.0.0.1 web.example. WEB\n"],
  run(input) {
    for (const [name, addresses] of parseHosts(textOf(input))) {
      holds(addresses.length > 0 && new Set(addresses).size === addresses.length, () => `${name} has each once`);
      for (const address of addresses) holds(isIP(address) !== 0, () => `${address} is an address`);
    }
  },
};
