/** A part of the demo failed: which one, and where to read on. */
export class PartError extends Error {
  override readonly name = "PartError";
  readonly code = "demo-part-failed";
  readonly logPath: string;

  constructor(part: Part, what: string) {
    super(`${part.title} ${what}`);
    this.logPath = part.logPath;
  }
}

/** How long a program may take for anything, on a machine that is busy; and to end after SIGTERM, before it is killed. */
const limitMs = 60_000;
const endLimitMs = 10_000;
const pollMs = 25;

/** One process of the demo, with its output in a file. */
export class Part {
  readonly title: string;
  readonly logPath: string;
  readonly #child: Deno.ChildProcess;
  readonly #startedAt = performance.now();
  #code: number | undefined;

  /** Starts a program. @param logPath a file for what it writes to stdout and stderr */
  constructor(title: string, command: readonly string[], logPath: string) {
    this.title = title;
    this.logPath = logPath;
    // The program takes the shell's place: signals reach it and nobody else.
    const args = ["-c", 'exec "$@" >"$0" 2>&1', logPath, ...command];
    this.#child = new Deno.Command("sh", { args, env: { NO_COLOR: "1" }, stdin: "null" }).spawn();
    void this.#child.status.then(({ code }) => this.#code = code);
  }

  /** What it has written to stdout and stderr. */
  get log(): string {
    return Deno.readTextFileSync(this.logPath);
  }

  /** Waits until a condition holds. @param what names the condition in the error: "to answer" @throws {PartError} */
  async until(what: string, condition: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
    while (!await condition()) {
      if (await this.#endsWithin(pollMs, signal)) {
        throw new PartError(this, `ended with exit code ${this.#code} before it was seen ${what}`);
      }
    }
  }

  /** Waits until the program ends well. @throws {PartError} */
  async end(signal: AbortSignal): Promise<void> {
    while (!await this.#endsWithin(pollMs, signal));
    if (this.#code !== 0) throw new PartError(this, `ended with exit code ${this.#code}`);
  }

  /** Ends it with SIGTERM, and one that does not go with SIGKILL. */
  async stop(): Promise<void> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill(), endLimitMs);
    await this.#child.status;
    clearTimeout(timer);
  }

  /** Ends it without waiting. */
  kill(signal: Deno.Signal = "SIGKILL"): void {
    if (this.#code !== undefined) return;
    try {
      this.#child.kill(signal);
    } catch {
      // It ended in this moment.
    }
  }

  async #endsWithin(ms: number, signal: AbortSignal): Promise<boolean> {
    signal.throwIfAborted();
    if (performance.now() - this.#startedAt > limitMs) {
      throw new PartError(this, `took longer than ${limitMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, ms));
    return this.#code !== undefined;
  }
}
