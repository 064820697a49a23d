import { leakTest } from "../support/assert/leak_free.ts";
import { exceedsAgent, floodsServer, probesFlooded } from "./few_descriptors.ts";

const twoWorkers = { serverFlags: ["--workers=2", "--server-id=two"] };

for (
  const [kind, how, options, limit] of [
    ["connect-uds", "", {}, 80],
    ["grpc-tls", ", two workers", twoWorkers, 110],
  ] as const
) {
  leakTest(`${kind}${how}: a server whose ports are flooded lives, keeps its agent, and serves again`, async () => {
    await floodsServer(kind, options, limit);
  });
}

for (const workers of [1]) {
  leakTest(`${workers} workers: a probe is answered in time while all ports are flooded at once`, async () => {
    await probesFlooded(workers);
  });
}

for (const kind of ["grpc-uds"] as const) {
  leakTest(
    `${kind}: tunnels beyond the agent's descriptors are refused with the reason, and its ports answer`,
    () => exceedsAgent(kind),
  );
}
