import assert from "node:assert/strict";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet } from "../support/processes/processes.ts";
import { reachesNoPort, statusFor } from "./reached_ports.ts";
import { passesOn } from "./reach.ts";

leakTest(
  "no client reaches the agent's own ports and heap through its tunnel, in no form: connect-uds",
  () => reachesNoPort("connect-uds"),
);

leakTest("server and agent give heap snapshots where they were asked to", async () => {
  const heap = ["--enable-profiling", "--enable-heap-snapshots"];
  await using launched = await Launched.start("grpc-uds", { agentFlags: heap, serverFlags: heap });
  for (const { adminPort } of [launched.agent, launched.server]) {
    assert.equal(await statusFor(adminPort, "/debug/pprof/heap", "evil.example"), 403);
    assert.equal((await httpGet(adminPort, "/debug/pprof/heap")).status, 200);
  }
});

for (const kind of ["grpc-tls", "connect-tls"] as const) {
  for (const flag of ["--workers=2", "--http2=runtime"]) {
    leakTest(
      `a server passes on what its lists and its client's own allow: ${kind} ${flag}`,
      () => passesOn(kind, flag),
    );
  }
}
