import assert from "node:assert/strict";
import type { FileProbe } from "../../flags/file_probe.ts";
import { parseTestClientFlags } from "./test_client_flags.ts";
import { parseTestServerFlags } from "./test_server_flags.ts";
import { validateTestClientOptions, validateTestServerOptions } from "./test_validation.ts";

const probe: FileProbe = (path) => Promise.resolve({ kind: path === "none" ? "missing" : "readable" });

async function clientRefusal(...args: string[]): Promise<string | undefined> {
  const parsed = parseTestClientFlags(args);
  if (parsed.kind !== "options") return assert.fail(JSON.stringify(parsed));
  const validation = await validateTestClientOptions(parsed.options, probe);
  return validation.kind === "refused" ? validation.message : undefined;
}

function serverRefusal(...args: string[]): string | undefined {
  const parsed = parseTestServerFlags(args);
  if (parsed.kind !== "options") return assert.fail(JSON.stringify(parsed));
  const validation = validateTestServerOptions(parsed.options);
  return validation.kind === "refused" ? validation.message : undefined;
}

const uds = ["--proxy-uds=/s", "--proxy-host=", "--proxy-port=0"];

Deno.test("proxy-test-client's rules are the original's, in its words", async () => {
  const cases: [string[], string][] = [
    [["--client-key=none"], "stat none: no such file or directory"],
    [["--client-key=k"], 'cannot have client cert empty when client key is set to "k"'],
    [["--client-key=k", "--client-cert=none"], "stat none: no such file or directory"],
    [["--client-cert=c"], 'cannot have client key empty when client cert is set to "c"'],
    [["--ca-cert=none"], "stat none: no such file or directory"],
    [["--request-proto=ftp"], `request protocol must be set to either 'http' or 'https' not "ftp"`],
    [["--mode=x"], `mode must be set to either 'grpc' or 'http-connect' not "x"`],
    [["--request-port=49152"], "please do not try to use ephemeral port 49152 for the request server port"],
    [["--proxy-port=49152"], "please do not try to use ephemeral port 49152 for the proxy server port"],
    [["--proxy-port=1023"], "please do not try to use reserved port 1023 for the proxy server port"],
    [
      [`--proxy-uds=/${"x".repeat(107)}`, "--proxy-host=", "--proxy-port=0"],
      "proxy-uds has 108 bytes, and the path of a Unix socket has at most 107",
    ],
    [["--proxy-uds=/s"], 'please set proxy host to "" when using UDS'],
    [["--proxy-uds=/s", "--proxy-host="], "please set proxy server port to 0 when using UDS"],
    [
      [...uds, "--ca-cert=ca"],
      "please do not set cert materials when using UDS, key = , cert = , CA = ca",
    ],
    [[...uds, "--test-requests=0"], "please do not ask for fewer than 1 test request(0)"],
    [[...uds, "--test-delay=-1"], "please do not ask for less than a 0 second delay(-1)"],
    [[...uds, "--after-delay=-2"], "please do not ask for less than a 0 second delay(-2)"],
  ];
  for (const [args, message] of cases) {
    assert.equal(await clientRefusal(...args), `failed to validate proxy client options, got: ${message}`);
  }
});

Deno.test("proxy-test-client accepts what the README of the original shows", async () => {
  assert.equal(await clientRefusal(...uds), undefined);
  assert.equal(await clientRefusal("--ca-cert=ca", "--client-cert=c", "--client-key=k"), undefined);
});

Deno.test("proxy-test-client refuses what cannot work", async () => {
  assert.match(await clientRefusal() ?? "", /ca cert must be set when in TCP mode/);
  assert.match(await clientRefusal("--ca-cert=ca", "--proxy-host=") ?? "", /proxy host must be set/);
  assert.match(await clientRefusal(...uds, "--request-port=0") ?? "", /request server port 0 must be greater than 0/);
});

Deno.test("http-test-server's port is neither reserved nor ephemeral", () => {
  assert.equal(serverRefusal(), undefined);
  assert.equal(
    serverRefusal("--server-port=49152"),
    "failed to validate server options with please do not try to use ephemeral port 49152 for the server port",
  );
  assert.equal(
    serverRefusal("--server-port=0"),
    "failed to validate server options with please do not try to use reserved port 0 for the server port",
  );
});
