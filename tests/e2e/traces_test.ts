/** Traces of dials, as the runtime's OpenTelemetry exports them from real processes. */
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { clientSpan, dial, exporting, newTrace, tracesDial } from "./traced_dials.ts";

leakTest(
  "grpc-tls: a client's trace goes on in one span at the server and one at the agent",
  () => tracesDial("grpc-tls"),
);

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
