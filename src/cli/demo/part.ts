/** A part of the demo failed: which one, and where to read on. */
export class PartError extends Error {
  override readonly name = "PartError";
  readonly code = "demo-part-failed";
  readonly part: string;
  /** The last lines of its log. */
  readonly lastLines: readonly string[];
  readonly logPath: string;

  constructor(part: Pick<Part, "title" | "logPath" | "log">, what: string, options?: ErrorOptions) {
    super(`${part.title} ${what}`, options);
    this.part = part.title;
    this.logPath = part.logPath;
    this.lastLines = part.log.trimEnd().split("\n").slice(-shownLines);
  }
}

const shownLines = 12;
/** What is kept of a program's output in memory: the end of it. */
const keptChars = 64 * 1024;
/** How long a program may take to end after SIGTERM, before it is killed. */
const endLimitMs = 10_000;
const pollMs = 25;

/** One process of the demo, with its output in a file. */
export class Part {
  readonly title: string;
  readonly logPath: string;
  readonly #child: Deno.ChildProcess;
  readonly #written: Promise<void>;
  #status: Deno.CommandStatus | undefined;
  #log = "";

  private constructor(title: string, child: Deno.ChildProcess, logPath: string, file: Deno.FsFile) {
    this.title = title;
    this.logPath = logPath;
    this.#child = child;
    void child.status.then((status) => this.#status = status);
    this.#written = Promise.all([this.#keep(child.stdout, file), this.#keep(child.stderr, file)])
      .then(() => file.close());
  }

  /**
   * Starts a program.
   * @param command the program and its arguments
   * @param logPath a file for what it writes to stdout and stderr
   * @throws {PartError}
   */
  static start(title: string, command: readonly string[], logPath: string): Part {
    const [program = "", ...args] = command;
    const file = Deno.openSync(logPath, { create: true, write: true, truncate: true, mode: 0o600 });
    try {
      const env = { NO_COLOR: "1" };
      const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
      return new Part(title, child, logPath, file);
    } catch (cause) {
      file.close();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new PartError({ title, logPath, log: "" }, `could not be started: ${why}`, { cause });
    }
  }

  /** The end of what it has written to stdout and stderr. */
  get log(): string {
    return this.#log;
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#status !== undefined;
  }

  /**
   * Waits until a condition holds.
   * @param what names the condition in the error: "to answer"
   * @throws {PartError} when the program ends first, or `limitMs` have passed
   */
  async until(what: string, condition: () => Promise<boolean>, limitMs: number, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!(await condition())) {
      signal.throwIfAborted();
      if (this.#status !== undefined) {
        await this.#written;
        throw new PartError(this, `ended with exit code ${this.#status.code} before it was seen ${what}`);
      }
      if (performance.now() > deadline) throw new PartError(this, `was not seen ${what} within ${limitMs / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  /**
   * Waits until the program ends.
   * @returns its exit code
   * @throws {PartError} when it takes longer than `limitMs`
   */
  async end(limitMs: number, signal: AbortSignal): Promise<number> {
    if (!await this.#endsWithin(limitMs, signal)) {
      signal.throwIfAborted();
      throw new PartError(this, `did not end within ${limitMs / 1000} s`);
    }
    await this.#written;
    return this.#status?.code ?? 1;
  }

  /** Ends it with SIGTERM, and one that does not go with SIGKILL. */
  async stop(): Promise<void> {
    this.#kill("SIGTERM");
    if (!await this.#endsWithin(endLimitMs)) this.#kill("SIGKILL");
    await this.#child.status;
    await this.#written;
  }

  /** Ends it without waiting. */
  kill(): void {
    this.#kill("SIGKILL");
  }

  #kill(signal: Deno.Signal): void {
    if (this.#status !== undefined) return;
    try {
      this.#child.kill(signal);
    } catch {
      // It ended in this moment.
    }
  }

  async #endsWithin(limitMs: number, signal?: AbortSignal): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, limitMs);
    const onAbort = () => resolve();
    signal?.addEventListener("abort", onAbort);
    if (signal?.aborted === true) resolve();
    await Promise.race([this.#child.status, promise]);
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
    return this.#status !== undefined;
  }

  async #keep(output: ReadableStream<Uint8Array>, file: Deno.FsFile): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of output) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
      this.#log += decoder.decode(chunk, { stream: true });
      if (this.#log.length > keptChars) this.#log = this.#log.slice(-keptChars / 2);
    }
  }
}
