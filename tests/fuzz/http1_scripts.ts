import { mutate } from "./mutate.ts";
import type { Random } from "./random.ts";
import { type Script, steps } from "./script.ts";

const encoder = new TextEncoder();

const targets = [
  "no.such.name.invalid:1",
  "127.0.0.1",
  "127.0.0.1:",
  ":80",
  "",
  "/",
  "*",
  "http://127.0.0.1:1/",
  "[::1]:1",
  "[::1",
  "%5B::1%5D:1",
  "%",
  "a%00b:1",
  "127.0.0.1:99999",
  "127.0.0.1:-1",
  "user:pw@127.0.0.1:1",
  "x".repeat(3000) + ":1",
  "\u00e9:1",
] as const;
const heads = [
  "Host: 127.0.0.1\r\n",
  "Host: 127.0.0.1\r\n",
  "Host: a\r\nHost: b\r\n",
  "",
  "Host: x:99999\r\n",
  "Host: [\r\n",
  "Host: 127.0.0.1\r\nProxy-Authorization: Basic x\r\n",
  "Host: 127.0.0.1\r\nContent-Length: 5\r\n",
  "Host: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n",
  "Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n",
  "Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
  "Host: 127.0.0.1\r\nExpect: 100-continue\r\n",
  "Host: 127.0.0.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
  "Host : 127.0.0.1\r\n",
  " Host: 127.0.0.1\r\n",
  "Host: 127.0.0.1\n",
  "Host:\t\u0000\r\n",
  "X: " + "y".repeat(70_000) + "\r\n",
] as const;

/** A connection to the HTTP CONNECT frontend: CONNECTs with bytes behind them, and requests that are refused. */
export function connectScript(random: Random, addresses: readonly string[]): Script {
  const messages: Uint8Array[] = [];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const [first = ""] = addresses;
    const target = random.chance(0.6) ? random.pick([first, ...addresses]) : random.pick(targets);
    const method = random.chance(0.8) ? "CONNECT" : random.pick(["GET", "POST", "TRACE", "OPTIONS", "connect", "PRI"]);
    const version = random.chance(0.95) ? "1.1" : random.pick(["1.0", "2.0", "0.9", "1.2", "x"]);
    const head = random.chance(0.7) ? "Host: 127.0.0.1\r\n" : random.pick(heads);
    messages.push(encoder.encode(`${method} ${target} HTTP/${version}\r\n${head}\r\n`));
    if (random.chance(0.6)) messages.push(random.bytes(random.length(16)));
  }
  return steps(random, mutate(random, messages, random.pick([0, 0, 0.2, 0.5])));
}

/** Many refused requests on one connection. */
export function pipelinedScript(random: Random): Script {
  const one = `${random.pick(["GET", "POST", "TRACE"])} /${"x".repeat(random.length(8))} HTTP/1.1\r\nHost: a\r\n\r\n`;
  return steps(random, [encoder.encode(one.repeat(1 + random.below(3000)))]);
}

const pages = [
  "/healthz",
  "/readyz",
  "/livez",
  "/ready",
  "/metrics",
  "/",
  "/debug/pprof",
  "/debug/pprof/heap",
  "/..%2f",
  "//healthz",
  "/healthz?verbose",
  "*",
  "http://x:99999/healthz",
] as const;

/** A connection to a health or admin port. */
export function pagesScript(random: Random): Script {
  const messages: Uint8Array[] = [];
  for (let count = 1 + random.below(4); count > 0; count--) {
    const method = random.chance(0.85) ? "GET" : random.pick(["HEAD", "POST", "PUT", "DELETE", "CONNECT", "x"]);
    const head = random.chance(0.6) ? "Host: 127.0.0.1\r\n" : random.pick(heads);
    messages.push(encoder.encode(`${method} ${random.pick(pages)} HTTP/1.1\r\n${head}\r\n`));
    if (random.chance(0.2)) messages.push(random.bytes(random.length(14)));
  }
  return steps(random, mutate(random, messages, random.pick([0, 0, 0.2, 0.5])));
}

/** Bytes that are no protocol, or another one's. */
export function garbageScript(random: Random): Script {
  const messages: Uint8Array[] = Array.from({ length: 1 + random.below(4) }, () => random.bytes(random.length(15)));
  if (random.chance(0.3)) messages.unshift(clientHello(random));
  if (random.chance(0.2)) messages.unshift(encoder.encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  return steps(random, messages);
}

/** A record of TLS that looks like a ClientHello for its first bytes. */
function clientHello(random: Random): Uint8Array {
  const body = random.bytes(40 + random.length(9));
  body.set([1, 0, (body.length - 4) >> 8, (body.length - 4) & 0xff, 3, 3]);
  const record = new Uint8Array(5 + body.length);
  record.set([0x16, 3, 1, body.length >> 8, body.length & 0xff]);
  record.set(body, 5);
  return record;
}
