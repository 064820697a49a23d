/** Traces of dials, as the runtime's OpenTelemetry exports them from real processes. */
import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { traceCollector } from "../support/fakes/trace_collector.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { clientSpan, dial, dialsIn, exporting, exportingTo, newTrace, tracesDial } from "./traced_dials.ts";

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

leakTest("the console exporter shows the spans of both in their output", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start(
    "grpc-uds",
    exporting({ OTEL_EXPORTER_OTLP_PROTOCOL: "console", OTEL_TRACES_SAMPLER: "parentbased_always_on" }),
  );
  const trace = newTrace();
  await dial(launched, echo.address, `00-${trace}-${clientSpan}-01`);
  for (const { program } of [launched.server, launched.agent]) {
    await until(
      `${program.name} shows it`,
      () => program.log.includes("konnectivity.dial") && program.log.includes(trace),
    );
  }
});
