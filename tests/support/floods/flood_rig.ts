import { fileURLToPath } from "node:url";
import type { ProxyClient } from "../../../src/client/mod.ts";
import { rssBytes } from "../../bench/process_figures.ts";
import { Conversation } from "../in_process/conversation.ts";
import { type Destination, echoDestination } from "../in_process/destinations.ts";
import type { Flooded, FloodTarget } from "./flood_acts.ts";
import { Launched, type LaunchOptions } from "../processes/launched.ts";
import type { FrontendKind } from "../in_process/stack.ts";

/** What a neighbour and the programs saw while something lasted. */
export interface NeighbourFigures {
  /** The neighbour's round trips. */
  readonly answers: number;
  /** Seconds in which the neighbour was answered, and of how many. */
  readonly answeredSeconds: number;
  readonly seconds: number;
  /** The neighbour's longest round trip, in milliseconds. */
  readonly worstMs: number;
  /** Largest resident memory of either program while it lasted, in MiB. */
  readonly serverMiB: number;
  readonly agentMiB: number;
}

/** The same of a flood, with what it brought. */
export interface FloodFigures extends NeighbourFigures {
  readonly flooded: Flooded;
}

/** Milliseconds between the neighbour's round trips. */
const pauseMs = 5;

/**
 * A server and an agent as users run them, a neighbour who has a tunnel through them, and floods from other processes. Where
 * `KONNECTIVITY_SERVER_COMMAND` and `KONNECTIVITY_AGENT_COMMAND` are set, another implementation is flooded.
 */
export class FloodRig implements AsyncDisposable {
  readonly launched: Launched;
  readonly #parts: AsyncDisposableStack;
  readonly #neighbour: Conversation;
  #asked = 0;

  private constructor(launched: Launched, neighbour: Conversation, parts: AsyncDisposableStack) {
    this.launched = launched;
    this.#neighbour = neighbour;
    this.#parts = parts;
  }

  static async start(kind: FrontendKind, options: LaunchOptions = {}): Promise<FloodRig> {
    await using parts = new AsyncDisposableStack();
    const echo: Destination = parts.use(await echoDestination());
    const launched = parts.use(await Launched.start(kind, options));
    const client: ProxyClient = parts.use(await launched.client());
    const neighbour = new Conversation(await client.dial(echo.address));
    parts.defer(() => neighbour.tunnel.close());
    return new FloodRig(launched, neighbour, parts.move());
  }

  /** The frontend, as a flood reaches it. */
  async frontend(certificate = true): Promise<FloodTarget> {
    const { uds, port } = this.launched;
    return uds === "" ? await this.#overTls(port, certificate) : { uds };
  }

  /** The agents' listener, with an agent's certificate or without one. */
  async agents(certificate = true): Promise<FloodTarget> {
    return await this.#overTls(this.launched.server.agentPort, certificate);
  }

  /**
   * Floods while the neighbour goes on.
   * @param name one of `floods`
   * @throws when the neighbour's tunnel, and with it the agent's link, does not last as long
   */
  async flood(name: string, seconds: number, target: FloodTarget): Promise<FloodFigures> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--quiet",
        "--no-check",
        fileURLToPath(new URL("floods.ts", import.meta.url)),
        name,
        String(seconds),
        JSON.stringify(target),
      ],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const output = child.output();
    const figures = await this.beside(output);
    const { code, stdout } = await output;
    if (code !== 0) throw new Error(`flood ${name} ended with ${code}`);
    return { ...figures, flooded: JSON.parse(new TextDecoder().decode(stdout)) as Flooded };
  }

  /**
   * The neighbour goes on while something lasts.
   * @throws when the neighbour's tunnel, and with it the agent's link, does not last as long
   */
  async beside(work: Promise<unknown>): Promise<NeighbourFigures> {
    let going = true;
    work.finally(() => going = false).catch(() => {});
    const { server, agent } = this.launched;
    const answered = new Set<number>();
    let answers = 0;
    let worstMs = 0;
    let serverBytes = 0;
    let agentBytes = 0;
    const sample = () => {
      serverBytes = Math.max(serverBytes, rssBytes(server.program.pid));
      agentBytes = Math.max(agentBytes, rssBytes(agent.program.pid));
    };
    const sampler = setInterval(sample, 100);
    const began = performance.now();
    try {
      while (going) {
        const since = performance.now();
        await this.ask();
        answers++;
        answered.add(Math.floor((performance.now() - began) / 1000));
        worstMs = Math.max(worstMs, performance.now() - since);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } finally {
      clearInterval(sampler);
      sample();
    }
    const whole = Math.floor((performance.now() - began) / 1000);
    const answeredSeconds = [...answered].filter((second) => second < whole).length;
    const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
    return {
      answers,
      answeredSeconds,
      seconds: whole,
      worstMs: Math.round(worstMs),
      serverMiB: mib(serverBytes),
      agentMiB: mib(agentBytes),
    };
  }

  /** One round trip of the neighbour. */
  async ask(): Promise<void> {
    const question = `question ${++this.#asked}`;
    const answer = await this.#neighbour.ask(question);
    if (answer !== question) throw new Error(`the neighbour's tunnel ended\n${this.launched.logs}`);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }

  async #overTls(port: number, certificate: boolean): Promise<FloodTarget> {
    const { caCert, clientCert, clientKey } = this.launched.certificates;
    const ca = await Deno.readTextFile(caCert);
    if (!certificate) return { port, tls: { ca } };
    return { port, tls: { ca, cert: await Deno.readTextFile(clientCert), key: await Deno.readTextFile(clientKey) } };
  }
}
