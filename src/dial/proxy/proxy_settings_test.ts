import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseHttpProxy } from "./http_proxy.ts";
import { ProxySettingsError, proxyVariables, readProxySettings } from "./proxy_settings.ts";

type Variables = Readonly<Record<string, string>>;

function proxyFor(variables: Variables, host = "server.example", port = 8091) {
  return readProxySettings((name) => variables[name])(host, port);
}

const shown: readonly (readonly [variables: Variables, proxy: string | undefined])[] = [
  [{}, undefined],
  [{ HTTPS_PROXY: "" }, undefined],
  [{ HTTPS_PROXY: " " }, undefined],
  [{ HTTPS_PROXY: "http://proxy:3128" }, "http://proxy:3128"],
  [{ https_proxy: "http://proxy:3128" }, "http://proxy:3128"],
  [{ HTTPS_PROXY: "http://upper:1", https_proxy: "http://lower:2" }, "http://upper:1"],
  [{ HTTPS_PROXY: "", https_proxy: "http://lower:2" }, "http://lower:2"],
  [{ HTTPS_PROXY: "proxy:3128" }, "http://proxy:3128"],
  [{ HTTPS_PROXY: "proxy" }, "http://proxy:80"],
  [{ HTTPS_PROXY: "10.0.0.1:3128\n" }, "http://10.0.0.1:3128"],
  [{ HTTPS_PROXY: "me:secret@proxy:3128" }, "http://proxy:3128"],
  [{ HTTPS_PROXY: "https://proxy" }, "https://proxy:443"],
  [{ HTTPS_PROXY: "HTTP://Proxy.Example:3128/" }, "http://proxy.example:3128"],
  [{ HTTPS_PROXY: "http://[fd00::1]:3128" }, "http://[fd00::1]:3128"],
  [{ HTTPS_PROXY: "http://user:p%40ss@[fd00::1]" }, "http://[fd00::1]:80"],
  [{ HTTP_PROXY: "http://proxy:3128", http_proxy: "http://proxy:3128" }, undefined],
  [{ ALL_PROXY: "http://proxy:3128", all_proxy: "http://proxy:3128" }, undefined],
];

Deno.test("the proxy is the one of HTTPS_PROXY or https_proxy, with or without a scheme, and of no other variable", () => {
  for (const [variables, proxy] of shown) {
    assert.equal(proxyFor(variables)?.shown, proxy, JSON.stringify(variables));
  }
});

Deno.test("user and password are sent as Basic, their percent escapes decoded to bytes, and are not shown", () => {
  const users: readonly (readonly [text: string, plain: string | Uint8Array | undefined])[] = [
    ["http://proxy", undefined],
    ["http://me@proxy", "me:"],
    ["http://:secret@proxy", ":secret"],
    ["http://me:secret@proxy", "me:secret"],
    ["http://me:p%40ss%3A%2F%25@proxy", "me:p@ss:/%"],
    ["http://m%C3%BCller:%E2%82%AC@proxy", "müller:€"],
    ["http://müller:€@proxy", "müller:€"],
    ["http://me:50%@proxy", "me:50%"],
    ["http://me:%FF@proxy", new Uint8Array([0x6d, 0x65, 0x3a, 0xff])],
  ];
  for (const [text, plain] of users) {
    const proxy = parseHttpProxy(text);
    assert.ok(typeof proxy !== "string", text);
    assert.equal(proxy.shown, "http://proxy:80");
    const bytes = typeof plain === "string" ? Buffer.from(plain) : plain;
    const header = bytes === undefined ? undefined : `Basic ${Buffer.from(bytes).toString("base64")}`;
    assert.equal(proxy.authorization, header, text);
  }
});

Deno.test("a proxy that cannot be used is an error that names the variable and holds neither user nor password", () => {
  const bad: readonly (readonly [value: string, message: RegExp])[] = [
    ["socks5://me:secret@proxy:1080", /^HTTPS_PROXY must be a URL that starts with http.*, not with socks5:\/\/$/],
    ["ftp://me:secret@proxy", /not with ftp:\/\/$/],
    ["http://me:secret@proxy:99999", /^HTTPS_PROXY is no URL with a host/],
    ["me:secret@proxy:port", /^HTTPS_PROXY is no URL with a host/],
    ["http://me:secret@", /^HTTPS_PROXY is no URL with a host/],
    ["http://", /^HTTPS_PROXY is no URL with a host/],
    ["me:secret@ proxy", /^HTTPS_PROXY is no URL with a host/],
    ["http:/me:secret@proxy:1", /^HTTPS_PROXY must be a URL that starts with http:\/\/ or https:\/\/$/],
    ["https:proxy", /^HTTPS_PROXY must be a URL that starts with http:\/\/ or https:\/\/$/],
    ["'http://proxy:1'", /^HTTPS_PROXY is no URL with a host/],
    ["http://proxy,other:1", /^HTTPS_PROXY is no URL with a host/],
    ["http://*.example:1", /^HTTPS_PROXY is no URL with a host/],
    [`http://${"a".repeat(254)}:1`, /^HTTPS_PROXY is no URL with a host/],
    ["http://me:12/secret@proxy:1", /^HTTPS_PROXY has an @ behind a \/, \? or #; .* written %2F, %3F and %23$/],
    ["http://me:12?secret@proxy:1", /^HTTPS_PROXY has an @ behind/],
    ["me:12#secret@proxy:1", /^HTTPS_PROXY has an @ behind/],
    ["http://me:sec\nret@proxy:1", /^HTTPS_PROXY holds a control character/],
    ["http://me:secret@proxy:0", /^HTTPS_PROXY has the port 0/],
  ];
  for (const [value, message] of bad) {
    assert.throws(() => proxyFor({ HTTPS_PROXY: value, NO_PROXY: "*" }), (error) => {
      assert.ok(error instanceof ProxySettingsError, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(Deno.inspect(error), /secret|\bme\b/);
      return true;
    });
  }
  assert.throws(() => proxyFor({ https_proxy: "socks5://proxy" }), /^ProxySettingsError: https_proxy must/);
});

Deno.test("loopback is never reached by a proxy", () => {
  const hosts = ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"];
  for (const host of hosts) assert.equal(proxyFor({ HTTPS_PROXY: "proxy:3128" }, host), undefined, host);
  for (const host of ["localhost.example", "128.0.0.1", "0.0.0.0", "::2", "127.1"]) {
    assert.notEqual(proxyFor({ HTTPS_PROXY: "proxy:3128" }, host), undefined, host);
  }
});

/** Entries, and hosts that they are about and are not about; `host|port` where the port is not 8091. */
const exceptions: readonly (readonly [entries: string, direct: readonly string[], proxied: readonly string[]])[] = [
  ["", [], ["a.example", "10.0.0.1", "fd00::1"]],
  ["*", ["a.example", "10.0.0.1", "fd00::1"], []],
  ["b.example,*", ["a.example"], []],
  ["a.example", ["a.example", "A.Example", "x.a.example", "y.x.a.example"], ["ba.example", "example", "a.example."]],
  [".a.example", ["x.a.example", "y.x.a.example"], ["xa.example"]],
  ["*.a.example", ["x.a.example"], ["xa.example"]],
  ["A.EXAMPLE", ["a.example"], []],
  ["example", ["a.example", "example"], ["anexample"]],
  [" a.example , b.example ", ["a.example", "b.example"], ["c.example"]],
  ["a.example:8091", ["a.example", "x.a.example"], ["a.example|443"]],
  ["a.example:443", ["a.example|443"], ["a.example"]],
  ["a.example:", ["a.example", "a.example|443"], []],
  ["a.example:https", [], ["a.example", "a.example|443"]],
  ["10.0.0.1", ["10.0.0.1", "10.0.0.1|443", "::ffff:10.0.0.1"], ["10.0.0.10", "x.10.0.0.1.example"]],
  ["10.0.0.1:8091", ["10.0.0.1"], ["10.0.0.1|443"]],
  ["10.0.0.0/8", ["10.0.0.1", "10.255.0.1|443"], ["11.0.0.1", "ten.example"]],
  ["fd00::/8", ["fd00::1", "[fdff::1]"], ["fe00::1", "10.0.0.1"]],
  ["fd00:0::1", ["fd00::1", "[fd00::1]"], ["fd00::2"]],
  ["[fd00::1]:8091", ["fd00::1"], ["fd00::1|443"]],
  ["10.0.0.0/33,:8091,,.,[,a b", [], ["10.0.0.1", "a.example"]],
];

Deno.test("NO_PROXY names suffixes, addresses, ranges, ports of these, and everything", () => {
  for (const variable of ["NO_PROXY", "no_proxy"]) {
    for (const [entries, direct, proxied] of exceptions) {
      const find = readProxySettings((name) => ({ HTTPS_PROXY: "proxy:3128", [variable]: entries })[name]);
      for (const each of [...direct, ...proxied]) {
        const [host = "", port = "8091"] = each.split("|");
        assert.equal(find(host, Number(port)) === undefined, direct.includes(each), `${entries} and ${each}`);
      }
    }
  }
  const both = { HTTPS_PROXY: "proxy:3128", NO_PROXY: "a.example", no_proxy: "server.example" };
  assert.notEqual(proxyFor(both), undefined);
});

Deno.test("the variables that permissions must grant are those that are read", () => {
  const read = new Set<string>();
  readProxySettings((name) => void read.add(name));
  readProxySettings((name) => (read.add(name), name === "https_proxy" ? "proxy" : undefined));
  assert.deepEqual([...read].toSorted(), proxyVariables.toSorted());
});
