/** What is used here of the runtime's tracing. */
interface Telemetry {
  readonly tracerProvider: { getTracer(name: string): { startSpan(name: string): unknown } };
}

/**
 * Whether the runtime exports traces: `OTEL_DENO=true` in its environment, which the sandbox keeps from the program. The
 * runtime's own tracer (2.9.6) throws where it does not. A span that is never ended is never exported.
 */
export function exportsTraces(): boolean {
  try {
    const { tracerProvider } = Reflect.get(Deno, "telemetry") as Telemetry;
    tracerProvider.getTracer("konnectivity").startSpan("asked");
    return true;
  } catch {
    return false;
  }
}
