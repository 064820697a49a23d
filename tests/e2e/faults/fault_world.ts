import assert from "node:assert/strict";
import { neededTest, possibleTest } from "../../support/assert/needed.ts";
import { until } from "../../support/assert/until.ts";
import { type Destination, echoDestination } from "../../support/in_process/destinations.ts";
import { SteadyLoad } from "../../support/in_process/steady_load.ts";
import { Launched, type LaunchOptions } from "../../support/processes/launched.ts";
import type { FrontendKind } from "../../support/in_process/stack.ts";
import { faults } from "./fault_table.ts";

/**
 * Registers the test of a fault, whose title is the fault's promise.
 * @param name as in the table, written out: the table's test looks for it
 * @param lacks what is not here for it: programs, which fail it in CI, or what the machine cannot do
 */
export function faultTest(
  name: string,
  body: (t: Deno.TestContext) => Promise<void>,
  lacks: { readonly programs?: string | undefined; readonly machine?: string | undefined } = {},
): void {
  const fault = faults[name];
  if (fault === undefined) throw new Error(`${name} is in no row of fault_table.ts`);
  const title = `${name} (${fault.process}): ${fault.promise}`;
  if (lacks.programs !== undefined) neededTest(title, lacks.programs, body);
  else possibleTest(title, lacks.machine, body);
}

/** How many requests of the neighbour have to succeed for it to go on. */
const served = 8;

/** A server and an agent behind their launchers, an echo, and a neighbour who sends requests to it all the time. */
export class FaultWorld implements AsyncDisposable {
  readonly launched: Launched;
  readonly echo: Destination;
  readonly #load: SteadyLoad;
  readonly #parts: AsyncDisposableStack;

  private constructor(launched: Launched, echo: Destination, load: SteadyLoad, parts: AsyncDisposableStack) {
    this.launched = launched;
    this.echo = echo;
    this.#load = load;
    this.#parts = parts;
  }

  static async start(kind: FrontendKind, options: LaunchOptions = {}): Promise<FaultWorld> {
    await using parts = new AsyncDisposableStack();
    const echo = parts.use(await echoDestination());
    const launched = parts.use(await Launched.start(kind, options));
    const load = parts.use(new SteadyLoad(echo.address));
    load.through("the server", () => launched.client());
    return new FaultWorld(launched, echo, load, parts.move());
  }

  /** Waits until the neighbour's requests have succeeded some times more. */
  async goesOn(): Promise<void> {
    const since = performance.now();
    await until("the neighbour is served", () => this.#load.served("the server", since) >= served).catch((error) =>
      assert.fail(`${error}\n${this.#load.faults().slice(0, 3).join("\n")}\n${this.launched.logs}`)
    );
  }

  /** Notes that requests may fail, from now until the result is called. */
  excuse(why: string): () => void {
    return this.#load.disturb(why, "the server", true);
  }

  /** Ends the load: none of its requests has failed that nothing excuses. */
  async end(): Promise<void> {
    await this.goesOn();
    await this.#load.stop();
    assert.deepEqual(this.#load.faults(), [], this.launched.logs);
    await until("every tunnel's end reaches the destination", () => this.echo.open === 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}
