/** Traces of dials, as the runtime's OpenTelemetry exports them from real processes. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { traceCollector } from "../support/fakes/trace_collector.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { dial, dialsIn, exportingTo, tracesDial } from "./traced_dials.ts";

leakTest(
  "connect-uds: a client's trace goes on in one span at the server and one at the agent",
  () => tracesDial("connect-uds"),
);

leakTest("workers trace their dials, and a dial without a trace begins one", async () => {
  await using collector = await traceCollector();
  await using echo = await echoDestination();
  await using launched = await Launched.start(
    "connect-uds",
    withWorkers(exportingTo(collector, { OTEL_TRACES_SAMPLER: "always_on" })),
  );
  await dial(launched, echo.address);
  await until("both spans have been exported", () => dialsIn(collector).length === 2);
  const server = dialsIn(collector).find(({ parentSpanId }) => /^0*$/.test(parentSpanId));
  assert.ok(server !== undefined);
  assert.ok(dialsIn(collector).some(({ parentSpanId }) => parentSpanId === server.spanId));
});
