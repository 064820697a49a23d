import { leakTest } from "../support/assert/leak_free.ts";
import { allowsAgents, allowsClients, judgesConnect } from "./allowed_names.ts";
import assert from "node:assert/strict";
import { Launched } from "../support/processes/launched.ts";

for (
  const [kind, ...flags] of [
    ["grpc-tls", "--workers=2"],
    ["grpc-tls", "--http2=runtime"],
    ["connect-tls", "--workers=2"],
  ] as const
) {
  leakTest(`${kind} ${flags.join(" ")}: only certificates with an allowed name are clients`, async () => {
    await allowsClients(kind, ...flags);
  });
}

leakTest("a client that speaks Connect's protocol is judged by its connection too, over runtime HTTP/2", async () => {
  await judgesConnect("runtime");
});

leakTest("over grpc links, only certificates with an allowed name are agents, with what their names bear", async () => {
  await allowsAgents("grpc");
});

leakTest("curl with another certificate of the authority sees 403", async () => {
  await using launched = await Launched.start("connect-tls", { serverFlags: ["--client-allowed-names=apiserver"] });
  const { caCert, clientCert, clientKey } = launched.certificates;
  const { stdout, stderr } = await new Deno.Command("curl", {
    args: [
      ...["-sv", "-x", `https://127.0.0.1:${launched.port}`, "--proxy-cacert", caCert],
      ...["--proxy-cert", clientCert, "--proxy-key", clientKey, "http://a.example:80/", "--proxytunnel"],
    ],
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.match(text, /HTTP\/1\.1 403 Forbidden/);
});
