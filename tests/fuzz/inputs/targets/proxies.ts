import {
  ConnectAnswerError,
  type ConnectAnswerHead,
  ConnectAnswerReader,
} from "../../../../src/dial/proxy/connect_answer.ts";
import { parseHttpProxy } from "../../../../src/dial/proxy/http_proxy.ts";
import { ProxySettingsError, readProxySettings } from "../../../../src/dial/proxy/proxy_settings.ts";
import type { FuzzTarget } from "../target.ts";
import { chunksOf, joined } from "./chunks.ts";
import { attempt, holds, textOf } from "./texts.ts";

const mostHeadBytes = 300;

function readAnswer(chunks: readonly Uint8Array[]): string {
  const reader = new ConnectAnswerReader(mostHeadBytes);
  for (const [at, chunk] of chunks.entries()) {
    const head = attempt(() => reader.push(chunk), ConnectAnswerError);
    if (head instanceof ConnectAnswerError) return head.fault;
    if (head !== undefined) return described(head as ConnectAnswerHead, chunks.slice(at + 1));
  }
  return reader.begun ? "begun" : "nothing";
}

function described({ status, reason, headers, rest }: ConnectAnswerHead, more: readonly Uint8Array[]): string {
  return JSON.stringify([status, reason, [...headers], joined([rest, ...more]).toHex()]);
}

/** What a proxy answers to CONNECT. */
export const proxyAnswers: FuzzTarget = {
  name: "proxy-answers",
  modules: ["src/dial/proxy/connect_answer.ts"],
  seeds: [
    "HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x01",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\n\n",
    "HTTP/1.1 503 \nContent-Length: 2\n\nno",
  ],
  run(input) {
    const whole = readAnswer([input]);
    const cut = readAnswer(chunksOf(input));
    // A head is refused as soon as it is too long, or as soon as it is known to be wrong, whichever is seen first.
    const faults = ["too-large", "not-http", "bad-header", "switching"];
    holds(
      whole === cut || (faults.includes(whole) && faults.includes(cut)) || input.length > mostHeadBytes,
      () => `${whole}, and in pieces ${cut}`,
    );
  },
};

/** `HTTPS_PROXY` and `NO_PROXY`. */
export const proxySettings: FuzzTarget = {
  name: "proxy-settings",
  modules: ["src/dial/proxy/proxy_settings.ts", "src/dial/proxy/http_proxy.ts"],
  seeds: [
    "http://user:pass@proxy.example:3128\nlocalhost,.svc,10.0.0.0/8\nweb.svc",
    "https://[fd00::1]:443/\n*.example.com:8443,[::1]:80\napi.example.com",
    "proxy:3128\n*\nx",
    "http://u%3a:p%40%ff@proxy\n\n10.1.2.3",
  ],
  maxBytes: 200,
  run(input) {
    const [proxy = "", except = "", host = ""] = textOf(input).split("\n");
    const read = attempt(
      () => readProxySettings((name) => name === "HTTPS_PROXY" ? proxy : name === "NO_PROXY" ? except : undefined),
      ProxySettingsError,
    );
    const parsed = parseHttpProxy(proxy);
    if (typeof parsed !== "string") {
      holds(parsed.port > 0 && parsed.port <= 65_535, () => `port ${parsed.port}`);
      const { username, password } = new URL(proxy);
      const hidden = password.length > 6 && !parsed.host.includes(password.toLowerCase());
      holds(!hidden || !parsed.shown.includes(password), () => `${parsed.shown} hides the password of ${username}`);
    }
    if (read instanceof Error) return;
    const through = read(host, 443);
    if (through !== undefined) holds(read("localhost", 443) === undefined, () => "nothing local goes by a proxy");
  },
};
