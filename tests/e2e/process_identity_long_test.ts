import { leakTest } from "../support/assert/leak_free.ts";
import { allowsAgents, allowsClients, judgesConnect } from "./allowed_names.ts";

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
