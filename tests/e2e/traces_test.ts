/** Traces of dials, as the runtime's OpenTelemetry exports them from real processes. */
import { leakTest } from "../support/assert/leak_free.ts";
import { tracesDial } from "./traced_dials.ts";

leakTest(
  "grpc-tls: a client's trace goes on in one span at the server and one at the agent",
  () => tracesDial("grpc-tls"),
);
