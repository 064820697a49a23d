import type { ProxyClient } from "../../src/client/mod.ts";
import { Conversation } from "../support/in_process/conversation.ts";

const pauseMs = 100;

/** A tunnel that stays open beside the fuzzed connections and asks an echo for something all the time. */
export class Neighbour implements AsyncDisposable {
  readonly name: string;
  readonly #client: ProxyClient;
  readonly #conversation: Conversation;
  readonly #working: Promise<void>;
  #asked = 0;
  #worstMs = 0;
  #askedAt: number | undefined;
  #stopped = false;
  #failure: string | undefined;

  private constructor(name: string, client: ProxyClient, conversation: Conversation) {
    this.name = name;
    this.#client = client;
    this.#conversation = conversation;
    this.#working = this.#work();
  }

  /** Opens one; the client is the neighbour's from now on. */
  static async start(name: string, client: ProxyClient, echo: string): Promise<Neighbour> {
    return new Neighbour(name, client, new Conversation(await client.dial(echo)));
  }

  /** Round trips so far. */
  get asked(): number {
    return this.#asked;
  }

  /** Why it ended, which it must not; undefined while it lives. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Milliseconds of its slowest round trip, the one in flight included. */
  get worstMs(): number {
    return Math.max(this.#worstMs, this.#askedAt === undefined ? 0 : performance.now() - this.#askedAt);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#client.close();
    await this.#working;
  }

  async #work(): Promise<void> {
    try {
      while (!this.#stopped) {
        const text = `round trip ${this.#asked}`;
        this.#askedAt = performance.now();
        const heard = await this.#conversation.ask(text);
        this.#worstMs = Math.max(this.#worstMs, performance.now() - this.#askedAt);
        this.#askedAt = undefined;
        if (heard !== text) throw new Error(`the tunnel ended after ${this.#asked} round trips`);
        this.#asked++;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    } catch (error) {
      if (!this.#stopped) this.#failure = error instanceof Error ? error.message : String(error);
    }
  }
}
