import assert from "node:assert/strict";
import { connectMs, ProxyWorld } from "../../tests/support/memory/proxy_world.ts";
import { type Peer, ServerWorld } from "../../tests/support/memory/server_world.ts";
import { Caller } from "../../tests/support/memory/connect_caller.ts";
import type { AgentTracer } from "../agent/dial_span.ts";
import { dialed, dialFailed, dialRequest } from "../wire/packet.ts";
import type { DialTracer } from "./dial_record.ts";

const clients = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const servers = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";

/** What spans were told, in order. */
class SpanLog implements DialTracer {
  readonly lines: string[] = [];
  /** Nobody records what follows. */
  samplesNothing = false;

  dial(...[, { address }, { frontend, traceparent }]: Parameters<DialTracer["dial"]>) {
    if (this.samplesNothing) return undefined;
    this.lines.push(`${frontend} ${address} of ${traceparent}`);
    return {
      traceparent: servers,
      assigned: ({ agentId }: { agentId: string }) => void this.lines.push(`to ${agentId}`),
      connected: (resolved: string) => void this.lines.push(`connected ${resolved}`),
      failed: ({ reason }: { reason: string }) => void this.lines.push(`failed ${reason}`),
      closed: () => {},
    };
  }
}

const asks = { protocol: "tcp", address: "localhost:80" };

/** What the last dial told the agent of a trace. */
function traceAt(agent: Peer): string | undefined {
  const { payload } = agent.packets.at(-1) ?? {};
  return payload?.case === "dialRequest" ? payload.value.traceparent : undefined;
}

function ask(world: ServerWorld, traceparent?: string): Peer {
  const client = world.client(traceparent === undefined ? {} : { traceparent });
  client.stream.sendPacket(dialRequest({ ...asks, traceparent: "00-of-the-packet" }, 1n, true));
  world.settle();
  return client;
}

Deno.test("a dial's span continues the client's trace, and goes on at an agent that traces", async () => {
  const tracer = new SpanLog();
  const world = new ServerWorld({ tracer });
  const agent = await world.agent({ "konnectivity-features": "trace-context,resolved-address" });
  assert.match(agent.headers["konnectivity-features"] ?? "", /trace-context/);
  ask(world, clients);
  assert.equal(traceAt(agent), servers);
  agent.stream.sendPacket(dialed(agent.lastRandom, 1, "127.0.0.1:80"));
  world.settle();
  assert.deepEqual(tracer.lines.splice(0), [
    `grpc localhost:80 of ${clients}`,
    "to agent-1",
    "connected 127.0.0.1:80",
  ]);
  ask(world);
  agent.stream.sendPacket(dialFailed(agent.lastRandom, "refused"));
  world.settle();
  assert.deepEqual(tracer.lines.splice(0), ["grpc localhost:80 of undefined", "to agent-1", "failed error_response"]);
  agent.stream.end();
  world.settle();
  ask(world);
  assert.deepEqual(tracer.lines, ["grpc localhost:80 of undefined", "failed no_agent"]);
});

Deno.test("an agent of the original, or one that traces nothing, sees nothing of a trace", async () => {
  for (const features of [undefined, "half-close,window,resolved-address"]) {
    const world = new ServerWorld({ tracer: new SpanLog() });
    const agent = await world.agent(features === undefined ? {} : { "konnectivity-features": features });
    assert.doesNotMatch(agent.headers["konnectivity-features"] ?? "", /trace/);
    ask(world, clients);
    assert.equal(traceAt(agent), "");
  }
});

Deno.test("a server that traces nothing offers nothing, and passes no trace on", async () => {
  const world = new ServerWorld();
  const agent = await world.agent({ "konnectivity-features": "trace-context" });
  assert.doesNotMatch(agent.headers["konnectivity-features"] ?? "", /trace/);
  ask(world, clients);
  assert.equal(traceAt(agent), "");
});

Deno.test("what nobody samples leaves nothing at the agent either", async () => {
  const tracer = new SpanLog();
  tracer.samplesNothing = true;
  const world = new ServerWorld({ tracer });
  const agent = await world.agent({ "konnectivity-features": "trace-context" });
  ask(world, clients);
  assert.deepEqual([traceAt(agent), tracer.lines], ["", []]);
});

Deno.test("a dial is in the audit log and in its trace, and the agent's span has the server's", async () => {
  const tracer = new SpanLog();
  const audit: string[] = [];
  const spans: string[] = [];
  const agentTracer: AgentTracer = {
    dial(traceparent, destination) {
      spans.push(`${traceparent} ${destination}`);
      return { ended: ({ ok }) => void spans.push(ok ? "connected" : "failed") };
    },
  };
  const world = new ProxyWorld({ tracer, audit: (line) => void audit.push(line) }, agentTracer);
  world.agent.start();
  await world.run(1_000);
  const caller = new Caller(world.serverWorld, "destination:80", { traceparent: clients });
  const attached = caller.attach();
  await world.run(connectMs);
  (await attached).destroy();
  await world.settle();
  assert.deepEqual(tracer.lines, [`http-connect destination:80 of ${clients}`, "to agent-1", "connected "]);
  assert.deepEqual(spans, [`${servers} destination:80`, "connected"]);
  assert.match(audit[0] ?? "", /"outcome":"connected"/);
  assert.equal(audit.length, 2);
});

Deno.test("a client that brings two traces has none: its dial begins one", async () => {
  const tracer = new SpanLog();
  const world = new ProxyWorld({ tracer });
  world.agent.start();
  await world.run(1_000);
  for (const headers of [{ Traceparent: clients }, { traceparent: clients, Traceparent: servers }]) {
    const caller = new Caller(world.serverWorld, "destination:80", headers);
    const attached = caller.attach();
    await world.run(connectMs);
    (await attached).destroy();
    await world.settle();
  }
  assert.deepEqual(
    tracer.lines.filter((line) => line.includes(" of ")),
    [`http-connect destination:80 of ${clients}`, "http-connect destination:80 of undefined"],
  );
});
