import { until } from "../support/assert/until.ts";
import { peer, type PeerName, type ScenarioResult } from "./go_peers.ts";
import type { TestCertificateFiles } from "../support/in_process/test_certificates.ts";

/** A line that a fake peer prints; which properties it has depends on the event. */
export interface PeerEvent {
  readonly event?: string;
  readonly type?: string;
  readonly detail?: string;
  readonly port?: number;
  readonly serverId?: string;
  readonly serverCount?: string;
  readonly metadata?: Readonly<Record<string, readonly string[]>>;
}

/** A Go peer that runs beside the test and prints JSON lines. It leaves when its standard input ends. */
export class FakePeer implements AsyncDisposable {
  readonly events: PeerEvent[] = [];
  readonly results = new Map<string, ScenarioResult>();
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<unknown>;
  #errors = "";
  #ended = false;

  private constructor(program: string, args: readonly string[]) {
    this.#child = new Deno.Command(program, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#reading = Promise.all([this.#readLines(), this.#readErrors()]);
    void this.#child.status.then(() => this.#ended = true);
  }

  static async start(name: PeerName, args: readonly string[]): Promise<FakePeer> {
    return new FakePeer(await peer(name), args);
  }

  /** Waits until an event was printed that the condition holds for. */
  event(what: string, condition: (event: PeerEvent) => boolean): Promise<PeerEvent> {
    return this.#until(what, () => this.events.find(condition));
  }

  /** Names a scenario to the peer and waits for its result. */
  async run(scenario: string): Promise<ScenarioResult> {
    this.results.delete(scenario);
    await this.#input.write(new TextEncoder().encode(`${scenario}\n`));
    return await this.#until(`scenario ${scenario} has a result`, () => this.results.get(scenario));
  }

  #until<T>(what: string, condition: () => T | undefined): Promise<T> {
    // Longer than the peer's own limit for a scenario.
    return until(what, () => {
      const value = condition();
      if (value === undefined && this.#ended) throw new Error(`the peer ended: ${this.#errors}`);
      return value;
    }, 90_000) as Promise<T>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
    await this.#reading;
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const value: PeerEvent | ScenarioResult = JSON.parse(line);
        if ("ok" in value) this.results.set(value.name, value);
        else this.events.push(value);
      }
    }
  }

  async #readErrors(): Promise<void> {
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) this.#errors += text;
  }
}

/** Starts an agent that speaks only the original's packets and waits until the server has taken it in. */
export async function startFakeAgent(
  certificates: TestCertificateFiles,
  port: number,
  behaviour: readonly string[] = [],
  id: string = "fakeagent",
): Promise<FakePeer> {
  const agent = await FakePeer.start("fakeagent", [
    `--address=127.0.0.1:${port}`,
    `--ca=${certificates.caCert}`,
    `--cert=${certificates.clientCert}`,
    `--key=${certificates.clientKey}`,
    `--id=${id}`,
    `--behaviour=${behaviour.join(",")}`,
  ]);
  await agent.event("the fake agent is connected", (event) => event.event === "connected");
  return agent;
}
