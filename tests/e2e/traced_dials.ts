import type { FrontendKind } from "../support/in_process/stack.ts";
import assert from "node:assert/strict";
import { until } from "../support/assert/until.ts";
import { type CollectedSpan, type TraceCollector, traceCollector } from "../support/fakes/trace_collector.ts";
import { echoDestination, refusingAddress } from "../support/in_process/destinations.ts";
import { Launched, type LaunchOptions } from "../support/processes/launched.ts";
import { established, RawSocket } from "../conformance/raw_connect.ts";
import { RawCall } from "../conformance/raw_grpc.ts";

export const clientSpan = "b7ad6b7169203331";

export function newTrace(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

/** Variables by which both programs export to a collector. */
export function exporting(env: Readonly<Record<string, string>>): Pick<LaunchOptions, "env"> {
  return {
    env: {
      OTEL_DENO: "true",
      OTEL_DENO_CONSOLE: "ignore",
      OTEL_SERVICE_NAME: "konnectivity",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      ...env,
    },
  };
}

export function exportingTo(
  { url }: TraceCollector,
  env: Readonly<Record<string, string>> = {},
): Pick<LaunchOptions, "env"> {
  return exporting({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", ...env });
}

/** The spans of dials. */
export function dialsIn({ spans }: TraceCollector): CollectedSpan[] {
  return spans.filter(({ name }) => name === "konnectivity.dial");
}

/** Dials a destination, with a trace context where one is given, and waits for the outcome. */
export async function dial(launched: Launched, address: string, traceparent?: string): Promise<void> {
  const listener = { uds: launched.uds, port: launched.port, certificates: launched.certificates };
  if (launched.kind.startsWith("grpc")) {
    await using call = await RawCall.open(
      listener,
      "/ProxyService/Proxy",
      traceparent === undefined ? {} : { traceparent },
    );
    call.send({
      type: 0,
      payload: { case: "dialRequest", value: { protocol: "tcp", address, random: 7n } },
    });
    await until("the dial has an outcome", () => call.packets.length > 0);
    return;
  }
  await using socket = await RawSocket.open(listener);
  const header = traceparent === undefined ? "" : `Traceparent: ${traceparent}\r\n`;
  socket.write(`CONNECT ${address} HTTP/1.1\r\nHost: 127.0.0.1\r\n${header}\r\n`);
  await until("the dial has an outcome", () => socket.ended || socket.text.length >= established.length);
}

/** A client's trace goes on in one span at the server and one at the agent. */
export async function tracesDial(kind: FrontendKind): Promise<void> {
  await using collector = await traceCollector();
  await using echo = await echoDestination();
  const refused = await refusingAddress();
  {
    await using launched = await Launched.start(kind, {
      ...exportingTo(collector, { OTEL_TRACES_SAMPLER: "parentbased_always_off" }),
      serverFlags: kind === "grpc-tls" ? ["--audit-log=-"] : [],
      agentFlags: ["--agent-id=traced"],
    });
    // Nobody samples these two.
    await dial(launched, echo.address);
    await dial(launched, echo.address, `00-${newTrace()}-${clientSpan}-00`);
    const [good, bad] = [newTrace(), newTrace()];
    await dial(launched, echo.address, `00-${good}-${clientSpan}-01`);
    await dial(launched, refused, `00-${bad}-${clientSpan}-01`);
    await until("all has been exported", () => dialsIn(collector).length >= 4);
    for (const trace of [good, bad]) {
      const spans = dialsIn(collector).filter(({ traceId }) => traceId === trace);
      const server = spans.find(({ parentSpanId }) => parentSpanId === clientSpan);
      const agent = spans.find(({ parentSpanId }) => parentSpanId === server?.spanId);
      assert.ok(server !== undefined && agent !== undefined && spans.length === 2, JSON.stringify(spans));
      assert.equal(server.attributes["konnectivity.agent.id"], "traced");
      assert.equal(server.attributes["konnectivity.frontend"], kind === "grpc-tls" ? "grpc" : "http-connect");
      assert.equal(agent.attributes["konnectivity.tunnel.id"], server.attributes["konnectivity.tunnel.id"]);
      assert.equal(server.attributes["server.address"], "127.0.0.1");
      if (trace === good) {
        assert.deepEqual([server.status, agent.status], [0, 0]);
        // What an audit log asks agents for, a server has for its spans, too; the agent's has it in any case.
        assert.equal(agent.attributes["network.peer.port"], String(echo.port));
        assert.equal(server.attributes["network.peer.port"], kind === "grpc-tls" ? String(echo.port) : undefined);
      } else {
        assert.deepEqual([server.status, agent.status], [2, 2]);
        assert.deepEqual([server.attributes["error.type"], agent.attributes["error.type"]], [
          "error_response",
          "unknown",
        ]);
        assert.match(server.message, /refused/);
      }
    }
  }
  // Both have ended, and with it the export.
  assert.equal(dialsIn(collector).length, 4, JSON.stringify(dialsIn(collector)));
}
