import { ownerOf } from "../../../src/faults/owned.ts";
import type { DialledStream } from "../../../src/client/dialled_stream.ts";
import { SocketStream } from "../../../src/net/tcp/socket_stream.ts";
import type { VirtualClock } from "../../support/fakes/virtual_clock.ts";
import type { Network } from "../network/network.ts";
import { hosts } from "../processes/ports.ts";
import type { Random } from "../random.ts";
import type { Timeline } from "../timeline.ts";
import { dialThrough } from "./callers.ts";
import { Side } from "./side.ts";
import { portOf, type TunnelPlan } from "./tunnel_plan.ts";

/** How long a client waits for its dial, in milliseconds. */
const patienceMs = 45_000;

/** What a tunnel needs of the world that it is in. */
export interface TunnelContext {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly violated: (what: string) => void;
}

/** One tunnel of a run, from its dial to its end, seen from both of its ends. */
export class TunnelRun {
  readonly plan: TunnelPlan;
  readonly server: string;
  readonly client: Side;
  /** One for each connection that reached the destination: a dial may be made again. */
  readonly destinations: Side[] = [];
  /** The agents that they came from. */
  readonly agents: string[] = [];
  readonly beganAtMs: number;
  /** When the dial failed, or an end of the tunnel was closed last. */
  endedAtMs: number | undefined;
  /** How the dial ended; undefined: it has not. */
  outcome: { readonly error: Error | undefined } | undefined;
  answers = 0;
  /** The harness has ended it. */
  closedByHarness = false;
  readonly #context: TunnelContext;
  #stream: DialledStream | undefined;

  constructor(plan: TunnelPlan, server: string, context: TunnelContext) {
    this.plan = plan;
    this.server = server;
    this.#context = context;
    this.beganAtMs = context.clock.now();
    this.client = this.#side("client", 2 * plan.number, 2 * plan.number + 1);
    if (plan.kind !== "refused") this.#listen();
  }

  get name(): string {
    return `tunnel ${this.plan.number} (${this.plan.kind}, ${this.plan.frontend})`;
  }

  /** Neither end has anything left to learn. */
  get over(): boolean {
    if (this.outcome === undefined) return false;
    const isOpen = this.outcome.error === undefined;
    return (!isOpen || this.client.closed !== undefined) &&
      this.destinations.every(({ closed }) => closed !== undefined);
  }

  /** Both ends have seen all of it, and an end in order. */
  get complete(): boolean {
    const { client, outcome, plan } = this;
    if (plan.kind === "refused" || plan.kind === "silent") return outcome?.error !== undefined;
    return outcome?.error === undefined && client.complete && client.closed?.error === undefined &&
      this.destinations.some((side) => side.complete && side.closed?.error === undefined);
  }

  /** What it looks like, for whoever has to find out why. */
  get state(): string {
    const { outcome, client } = this;
    const dial = outcome === undefined ? "no answer" : outcome.error === undefined ? "open" : outcome.error.message;
    const of = (name: string, side: Side) =>
      `${name} sent ${side.sentBytes}/${side.plan.sendBytes} received ${side.receivedBytes}/${side.plan.expectBytes}` +
      `${side.ended ? " ended" : ""}${side.peerEnded ? " saw the end" : ""}` +
      (side.closed === undefined ? "" : ` closed ${side.closed.error?.message ?? "in order"}`);
    return [
      `${this.name} through ${this.server} by ${this.agents.join() || "no agent"}: ${dial}`,
      of("client", client),
      ...this.destinations.map((side) => of("destination", side)),
    ].join("; ");
  }

  /** Dials. */
  async begin(): Promise<void> {
    const { plan, server } = this;
    const { clock, network, timeline, random } = this.#context;
    const giveUp = new AbortController();
    const waitMs = plan.givesUpAfterMs ?? patienceMs;
    const patience = clock.after(waitMs, () => giveUp.abort(new Error("no answer in time")), ownerOf("dial"));
    timeline.note(() => `${this.name} is dialled through ${server}`);
    try {
      const stream = await dialThrough(plan.frontend, {
        server,
        address: plan.address,
        random: BigInt(random.int(2 ** 31)) << 20n | BigInt(plan.number),
        clock,
        network,
        answered: () => {
          if (++this.answers > 1) this.#violated("the dial was answered twice");
        },
      }, giveUp.signal);
      this.outcome = { error: undefined };
      timeline.note(() => `${this.name} is open`);
      this.#stream = stream;
      this.client.start(stream);
    } catch (error) {
      this.endedAtMs = clock.now();
      this.outcome = { error: error instanceof Error ? error : new Error(String(error)) };
      timeline.note(() => `${this.name} failed: ${this.outcome?.error?.message}`);
    } finally {
      patience.cancel();
    }
  }

  /** Ends what is still open, as the client's end of its process would, then what the destination has. */
  close(): void {
    this.closedByHarness = true;
    if (this.client.closed === undefined) this.#stream?.close();
  }

  /** Nothing of the tunnel is left to either end. */
  drop(): void {
    this.closedByHarness = true;
    this.client.break();
    for (const destination of this.destinations) destination.break();
  }

  #listen(): void {
    const { network } = this.#context;
    network.listen(hosts.cluster, portOf(this.plan.number), (socket, from) => {
      if (!from.startsWith("agent")) this.#violated(`a connection came from ${from}`);
      const side = this.#side("destination", 2 * this.plan.number + 1, 2 * this.plan.number);
      this.destinations.push(side);
      this.agents.push(from);
      side.start(new SocketStream(socket.socket));
    });
  }

  #side(who: "client" | "destination", out: number, incoming: number): Side {
    const side: Side = new Side(this.plan[who], this.#context.clock, out, incoming, (what) => {
      this.#violated(`${who}: ${what}`);
    }, () => {
      this.endedAtMs = this.#context.clock.now();
      this.#context.timeline.note(() =>
        `${this.name}: ${who} is closed${side.closed?.error === undefined ? "" : `: ${side.closed.error.message}`}`
      );
    });
    return side;
  }

  #violated(what: string): void {
    this.#context.violated(`${this.name}: ${what}`);
  }
}
