import assert from "node:assert/strict";
import { parseTestClientFlags } from "./test_client_flags.ts";
import { parseTestServerFlags } from "./test_server_flags.ts";

Deno.test("proxy-test-client's defaults are the original's", () => {
  const parsed = parseTestClientFlags([]);
  if (parsed.kind !== "options") return assert.fail(parsed.kind);
  const { logging, ...rest } = parsed.options;
  assert.deepEqual(rest, {
    clientCert: "",
    clientKey: "",
    caCert: "",
    requestProto: "http",
    requestPath: "success",
    requestHost: "localhost",
    requestPort: 8000,
    proxyHost: "localhost",
    proxyPort: 8090,
    proxyUds: "",
    mode: "grpc",
    userAgent: "test-client",
    testRequests: 1,
    testDelaySeconds: 0,
    afterDelaySeconds: 0,
    closeIdleConn: true,
    enableHttp2Healthchecks: true,
  });
  assert.equal(logging.verbosity, 4);
});

Deno.test("http-test-server's defaults are the original's", () => {
  const parsed = parseTestServerFlags([]);
  if (parsed.kind !== "options") return assert.fail(parsed.kind);
  assert.equal(parsed.options.serverPort, 8000);
  assert.equal(parsed.options.bindAddress, "127.0.0.1");
  assert.equal(parsed.options.logging.verbosity, 0);
});

Deno.test("http-test-server takes the address by the name that the original's next release has, and by its older one", () => {
  for (const flag of ["--server-bind-address=0.0.0.0", "--bind-address=0.0.0.0"]) {
    const parsed = parseTestServerFlags([flag]);
    if (parsed.kind !== "options") return assert.fail(parsed.kind);
    assert.equal(parsed.options.bindAddress, "0.0.0.0", flag);
    assert.deepEqual(parsed.notices, []);
  }
});

Deno.test("http-test-server's port is a number without a sign", () => {
  const parsed = parseTestServerFlags(["--server-port=-1"]);
  assert.equal(
    parsed.kind === "error" && parsed.message,
    'invalid argument "-1" for "--server-port" flag: strconv.ParseUint: parsing "-1": invalid syntax',
  );
});
