import { TextLineStream } from "./text_lines.ts";
import type { Answer, Began, Question } from "./mutant_runner.ts";

/** A process of `mutant_runner.ts`, for the mutants of one source. It is started anew whenever one has spoilt it. */
export class MutantProcess implements AsyncDisposable {
  readonly #copy: string;
  readonly #source: string;
  #running: Running | undefined;
  #asked = 0;

  /** @param copy the folder of the copy of the project */
  constructor(copy: string, source: string) {
    this.#copy = copy;
    this.#source = source;
  }

  /** @returns what its tests say; `killed` where they run on */
  async ask(question: Question): Promise<Answer> {
    // Modules are never let go.
    if (++this.#asked % mostAsked === 0) await this.#stop();
    const fresh = this.#running === undefined;
    const running = this.#running ??= start(this.#copy, this.#source);
    await running.writer.write(new TextEncoder().encode(`${JSON.stringify(question)}\n`)).catch(() => {});
    let limitMs = fresh ? startMs : patienceMs;
    for (;;) {
      const line = await nextLine(running.reader, limitMs);
      const said: Answer | Began = line === undefined ? { verdict: "killed" } : JSON.parse(line);
      if ("began" in said) {
        // Once with the mutant and once without it.
        limitMs = patienceMs + 2 * (question.tests.find(({ path }) => path === said.began)?.limitMs ?? 0);
        continue;
      }
      if (line === undefined || said.verdict === "unsure") await this.#stop();
      return said;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (running === undefined) return;
    try {
      running.child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await running.reader.cancel().catch(() => {});
    await running.writer.abort().catch(() => {});
    await running.child.status;
  }
}

interface Running {
  readonly child: Deno.ChildProcess;
  readonly reader: ReadableStreamDefaultReader<string>;
  readonly writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
}

/** How long a process may take to start, and how long one that runs may be silent beyond its tests' own limits. */
const startMs = 15_000;
const patienceMs = 2_000;
const mostAsked = 25;

function start(copy: string, source: string): Running {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--no-check", "tools/mutant_runner.ts", copy, source],
    cwd: copy,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  return { child, reader: lines.getReader(), writer: child.stdin.getWriter() };
}

/** @returns undefined where none came in time */
async function nextLine(reader: ReadableStreamDefaultReader<string>, limitMs: number): Promise<string | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), limitMs);
  const read = await Promise.race([reader.read().catch(() => ({ value: undefined })), late.promise]);
  clearTimeout(timer);
  return read === undefined ? undefined : read.value ?? '{"verdict":"unsure"}';
}
