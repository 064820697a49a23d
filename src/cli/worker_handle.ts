import { logRelayed } from "../ops/log_relay.ts";
import type { ServerOptions } from "./server_options.ts";
import type { FromWorker, ToWorker } from "./worker_messages.ts";
import { workerName } from "./worker_name.ts";

/** How long a worker that is busy may take to answer. */
const defaultAnswerLimitMs = 5_000;

/** A worker could not be started, does not answer, or has ended. */
export class WorkerError extends Error {
  override readonly name = "WorkerError";
  readonly code: "failed" | "silent" | "ended";

  constructor(code: "failed" | "silent" | "ended", message: string) {
    super(message);
    this.code = code;
  }
}

/** A question that waits for its answer. */
interface Question {
  resolve(text: string): void;
  reject(error: WorkerError): void;
}

/** One of the servers of a command, as the command sees it. */
export class WorkerHandle {
  readonly number: number;
  /** Rejects with a {@link WorkerError} when the worker ends, which it never should; settles in no other way. */
  readonly ended: Promise<never>;
  readonly #entry: string;
  readonly #answerLimitMs: number;
  readonly #end = Promise.withResolvers<never>();
  readonly #loaded = Promise.withResolvers<void>();
  readonly #listening = Promise.withResolvers<number | undefined>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;
  #listens = false;
  #worker: Worker | undefined;
  #notReady: string | undefined = "starting";

  /**
   * @param number from 0
   * @param entry address of the module that the worker runs
   */
  constructor(number: number, entry: string, answerLimitMs: number = defaultAnswerLimitMs) {
    this.number = number;
    this.#answerLimitMs = answerLimitMs;
    this.#entry = entry;
    this.ended = this.#end.promise;
    // Whoever waits for one of them hears of it; the others are nobody's.
    for (const { promise } of [this.#end, this.#loaded, this.#listening, this.#stopped]) promise.catch(() => {});
  }

  /** Why it should get no traffic now; undefined when it should. */
  get notReady(): string | undefined {
    return this.#notReady;
  }

  /** Starts the worker's thread and waits until its code is loaded. @throws {WorkerError} why it is not */
  async load(): Promise<void> {
    const worker = new Worker(this.#entry, { type: "module", name: workerName });
    this.#worker = worker;
    worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    worker.addEventListener("error", (event) => {
      // Told by whoever waits for the worker's end, and not a second time by the runtime.
      event.preventDefault();
      this.#fail(new WorkerError("ended", `worker ${this.number} ended: ${event.message}`));
    });
    await this.#loaded.promise;
  }

  /**
   * Starts the worker's server and waits until it listens.
   * @param socketFd of the Unix socket that another worker has opened
   * @returns that descriptor, where this one has opened it
   * @throws {WorkerError} why it does not
   */
  async start(options: ServerOptions, socketFd: number | undefined): Promise<number | undefined> {
    this.#send({ kind: "start", options, socketFd });
    const opened = await this.#listening.promise;
    this.#listens = true;
    return opened;
  }

  /** Its metrics, in Prometheus' text form; none before it listens. @throws {WorkerError} it does not answer */
  async metrics(): Promise<string> {
    if (!this.#listens) return "";
    const id = ++this.#lastQuestion;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const seconds = this.#answerLimitMs / 1000;
    const timer = setTimeout(
      () => reject(new WorkerError("silent", `worker ${this.number} did not answer in ${seconds} s`)),
      this.#answerLimitMs,
    );
    this.#questions.set(id, { resolve, reject });
    try {
      this.#send({ kind: "metrics", id });
      return await Promise.race([promise, this.ended]);
    } finally {
      clearTimeout(timer);
      this.#questions.delete(id);
    }
  }

  /** Stops its server, as `RunningServer.stop`. @throws {WorkerError} it has ended */
  async stop(graceMs: number): Promise<void> {
    this.#send({ kind: "stop", graceMs });
    await this.#stopped.promise;
  }

  /** Ends the thread at once. Not where it shares a Unix socket with threads that go on: see `stopListening`. */
  terminate(): void {
    this.#worker?.terminate();
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "loaded":
        return this.#loaded.resolve();
      case "log":
        return logRelayed(message.record, this.number);
      case "failed":
        return this.#fail(new WorkerError("failed", `worker ${this.number}: ${message.reason}`));
      case "listening":
        return this.#listening.resolve(message.socketFd);
      case "readiness":
        this.#notReady = message.reason;
        return;
      case "metrics":
        return this.#questions.get(message.id)?.resolve(message.text);
      case "stopped":
        return this.#stopped.resolve();
    }
  }

  #fail(error: WorkerError): void {
    this.#notReady = error.message;
    for (const waiting of [this.#end, this.#loaded, this.#listening, this.#stopped]) waiting.reject(error);
  }
}
