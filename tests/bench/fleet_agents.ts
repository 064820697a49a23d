/**
 * Many agents in one process, each with an id and a link of its own, made of the parts that proxy-agent is made of. Its only
 * argument is a {@link FleetOrder} as JSON. It does what the lines of its standard input say (`start`, `stop`), prints a
 * {@link FleetState} as a line of JSON at its start and whenever that changes, and ends with its input.
 */
import { ProxyAgent } from "../../src/agent/proxy_agent.ts";
import { noAgentEvents } from "../../src/agent/agent_events.ts";
import { readTlsFiles } from "../../src/net/tls/tls_files.ts";
import { agentLinks } from "../../src/programs/agent/agent_links.ts";
import { parseAgentFlags } from "../../src/programs/agent/agent_flags.ts";
import type { AgentOptions } from "../../src/programs/agent/agent_options.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";
import { PacketCounts } from "../../src/wire/packet_counts.ts";
import { type FleetOrder, type FleetState, noneLinked } from "./fleet.ts";

/** How often links are counted, in milliseconds. */
const pollMs = 20;
/** How long a server may take to show that it lives, in milliseconds, as in proxy-agent. */
const keepaliveTimeoutMs = 10_000;

class Fleet {
  readonly #order: FleetOrder;
  readonly #options: AgentOptions;
  readonly #connect: ReturnType<typeof agentLinks>;
  #agents: ProxyAgent[] = [];
  #direct = 0;
  #failure = "";
  #reported = noneLinked;

  private constructor(order: FleetOrder, options: AgentOptions, connect: ReturnType<typeof agentLinks>) {
    this.#order = order;
    this.#options = options;
    this.#connect = connect;
  }

  /** Reads the certificates once for all agents. */
  static async of(order: FleetOrder): Promise<Fleet> {
    const parsed = parseAgentFlags([], () => undefined);
    if (parsed.kind !== "options") throw new Error("an agent without flags is refused");
    const { caCert: ca, clientCert: cert, clientKey: key } = order.certificates;
    const material = await readTlsFiles({ ca, cert, key }, systemClock);
    const connect = agentLinks({
      clock: systemClock,
      tls: () => material,
      alpnProtocols: [],
      counts: { received: new PacketCounts(), sent: new PacketCounts() },
      direct: order.kind === "direct",
      proxyFor: () => undefined,
    });
    return new Fleet(order, parsed.options, connect);
  }

  start(): void {
    const { agents, name } = this.#order;
    this.#agents = Array.from({ length: agents }, (_, at) => this.#agent(`${name}-${at}`));
    for (const agent of this.#agents) agent.start();
  }

  /** Drops all agents, as when their machines are gone. */
  async stop(): Promise<void> {
    await Promise.all(this.#agents.splice(0).map((agent) => agent.destroy()));
  }

  /** What is to be reported now; undefined where it was reported before. */
  change(): FleetState | undefined {
    const linked = this.#agents.filter((agent) => agent.ready).length;
    const now = linked === 0 ? "none" : linked < this.#order.agents ? "some" : "all";
    if (now === this.#reported.linked && this.#failure === this.#reported.failure) return undefined;
    return this.#reported = { linked: now, direct: this.#direct, failure: this.#failure };
  }

  #agent(agentId: string): ProxyAgent {
    const { syncIntervalMs, syncIntervalCapMs, syncForever, keepaliveTimeMs } = this.#options;
    return new ProxyAgent({
      dial: () => Promise.reject(new Error("agents of a fleet dial nothing")),
      clock: systemClock,
      events: noAgentEvents,
      packets: { from_agent: new PacketCounts(), to_agent: new PacketCounts() },
      servers: {
        hosts: ["127.0.0.1"],
        port: this.#order.port,
        identity: { agentId, identifiers: "" },
        transport: async (target, signal) => {
          try {
            const connection = await this.#connect(target, signal);
            if (connection.direct) this.#direct++;
            return connection;
          } catch (error) {
            this.#failure = error instanceof Error ? error.message : String(error);
            throw error;
          }
        },
        resolve: (host) => Promise.resolve([host]),
        syncIntervalMs,
        syncIntervalCapMs,
        syncForever,
        keepalive: { timeMs: keepaliveTimeMs, timeoutMs: keepaliveTimeoutMs },
        countSource: "default",
      },
    });
  }
}

async function main(): Promise<void> {
  const order: FleetOrder = JSON.parse(Deno.args[0] ?? "");
  const fleet = await Fleet.of(order);
  const print = (state: FleetState) => Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(state)}\n`));
  // Whoever measures how long it takes to link waits for this first.
  print(noneLinked);
  setInterval(() => {
    const state = fleet.change();
    if (state !== undefined) print(state);
  }, pollMs);
  let held = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (held + text).split("\n");
    held = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "start") fleet.start();
      else await fleet.stop();
    }
  }
  Deno.exit(0);
}

if (import.meta.main) await main();
