import type { Owner } from "../../../faults/fault.ts";
import { owned } from "../../../faults/owned.ts";
import type { SharedDescriptors } from "../../../net/edge/descriptors.ts";
import { RelayedLog } from "../../../logging/log_relay.ts";
import { RelayReceipts } from "../../../logging/relay_bound.ts";
import type { RelayedEvents } from "../../../ops/events/event_relay.ts";
import type { ServerStatus } from "../../../ops/status/server_status.ts";
import type { StatusQuery } from "../../../ops/status/status_query.ts";
import type { ProbeCheck } from "../../../server/probes/destination_probes.ts";
import type { ServerOptions } from "../server_options.ts";
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

/** What a command hears of its workers without having asked. */
export interface WorkerListener {
  /** A line of the worker's audit log. */
  onAudit?(line: string): void;
  /** Events that somebody watches. */
  onEvents?(events: RelayedEvents, worker: number): void;
  /** {@link WorkerHandle.notReady} may have changed. */
  onReadiness?(): void;
}

/** A question that waits for its answer. */
interface Question {
  resolve(text: string): void;
  reject(error: WorkerError): void;
}

/** One of the servers of a command, as the command sees it. */
export class WorkerHandle implements Owner {
  readonly place = "worker";
  readonly number: number;
  /** Rejects with a {@link WorkerError} when the worker ends, which it never should; settles in no other way. */
  readonly ended: Promise<never>;
  readonly #entry: string;
  readonly #listener: WorkerListener;
  readonly #answerLimitMs: number;
  readonly #end = Promise.withResolvers<never>();
  readonly #loaded = Promise.withResolvers<void>();
  readonly #listening = Promise.withResolvers<number | undefined>();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #log: RelayedLog;
  readonly #auditReceipts = new RelayReceipts((chars) => this.#send({ kind: "auditRead", chars }));
  readonly #eventReceipts = new RelayReceipts((chars) => this.#send({ kind: "eventsRead", chars }));
  /** Types of events. */
  #watched: readonly string[] = [];
  #auditLost = 0;
  readonly #questions = new Map<number, Question>();
  #lastQuestion = 0;
  #pinging: Promise<string> | undefined;
  #listens = false;
  #failure: WorkerError | undefined;
  #worker: Worker | undefined;
  #notReady: string | undefined = "starting";
  #probes: readonly ProbeCheck[] = [];

  /**
   * @param number from 0
   * @param entry address of the module that the worker runs
   * @param answerLimitMs how long a worker that is busy may take to answer, in milliseconds
   */
  constructor(
    number: number,
    entry: string,
    listener: WorkerListener = {},
    answerLimitMs: number = defaultAnswerLimitMs,
  ) {
    this.number = number;
    this.#answerLimitMs = answerLimitMs;
    this.#entry = entry;
    this.#listener = listener;
    this.#log = new RelayedLog(number, (chars) => this.#send({ kind: "logRead", chars }));
    this.ended = this.#end.promise;
    // Whoever waits for one of them hears of it; the others are nobody's.
    for (const { promise } of [this.#end, this.#loaded, this.#listening, this.#stopped]) promise.catch(() => {});
  }

  /** {@link Owner}: what it says cannot be taken any more. */
  faulted(error: Error): void {
    this.#fail(new WorkerError("failed", `worker ${this.number}: internal error: ${error.message}`));
  }

  /** Why it should get no traffic now; undefined when it should. */
  get notReady(): string | undefined {
    return this.#notReady;
  }

  /** Its destinations that are probed. */
  get probes(): readonly ProbeCheck[] {
    return this.#probes;
  }

  /** Lines of its audit log that did not reach the command. */
  get auditLost(): number {
    return this.#auditLost;
  }

  /** Starts the worker's thread and waits until its code is loaded. @throws {WorkerError} why it is not */
  async load(): Promise<void> {
    const worker = new Worker(this.#entry, { type: "module", name: workerName });
    this.#worker = worker;
    worker.addEventListener("message", owned(this, ({ data }: MessageEvent<FromWorker>) => this.#receive(data)));
    worker.addEventListener(
      "error",
      owned(this, (event: ErrorEvent) => {
        // Told by whoever waits for the worker's end, and not a second time by the runtime.
        event.preventDefault();
        const advice = "whoever started this command should start it again";
        this.#fail(new WorkerError("ended", `worker ${this.number} ended: ${event.message}; ${advice}`));
      }),
    );
    await this.#loaded.promise;
    // Nobody waits for the answer: it has no clients yet.
    if (this.#watched.length > 0) this.#send({ kind: "watchEvents", id: 0, types: this.#watched });
  }

  /**
   * Starts the worker's server and waits until it listens.
   * @param socketFd of the Unix socket that another worker has opened
   * @returns that descriptor, where this one has opened it
   * @throws {WorkerError} why it does not
   */
  async start(
    options: ServerOptions,
    socketFd: number | undefined,
    descriptors: SharedDescriptors,
  ): Promise<number | undefined> {
    this.#send({ kind: "start", options, socketFd, descriptors });
    const opened = await this.#listening.promise;
    this.#listens = true;
    return opened;
  }

  /**
   * Events of these types are watched from now on, and no others; before it is loaded they are noted. Waits until it makes
   * them. @throws {WorkerError} it does not answer
   */
  async watchEvents(types: readonly string[]): Promise<void> {
    this.#watched = types;
    if (this.#worker !== undefined) await this.#ask("watchEvents", { types });
  }

  /** Its metrics, in Prometheus' text form; none before it listens. @throws {WorkerError} it does not answer */
  async metrics(): Promise<string> {
    return this.#listens ? await this.#ask("metrics") : "";
  }

  /**
   * Waits for a sign of life of its event loop, which takes part in nothing else; before it listens there is nothing to ask.
   * Whoever asks meanwhile waits for the same answer. @throws {WorkerError} it does not answer
   */
  async ping(): Promise<void> {
    if (!this.#listens) return;
    this.#pinging ??= this.#ask("ping").finally(() => {
      this.#pinging = undefined;
    });
    await this.#pinging;
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

  /** Its own status; nothing is in its tables before it listens. @throws {WorkerError} it does not answer */
  async status(query: StatusQuery): Promise<ServerStatus | undefined> {
    return this.#listens ? JSON.parse(await this.#ask("status", { query })) as ServerStatus : undefined;
  }

  async #ask(kind: "metrics" | "ping"): Promise<string>;
  async #ask(kind: "status", about: { readonly query: StatusQuery }): Promise<string>;
  async #ask(kind: "watchEvents", about: { readonly types: readonly string[] }): Promise<string>;
  async #ask(kind: "metrics" | "ping" | "status" | "watchEvents", about: object = {}): Promise<string> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = ++this.#lastQuestion;
    // Whoever asks waits for this promise alone: a race with the worker's end would keep each answer for as long as it lives.
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const seconds = this.#answerLimitMs / 1000;
    const timer = setTimeout(
      () => reject(new WorkerError("silent", `worker ${this.number} did not answer in ${seconds} s`)),
      this.#answerLimitMs,
    );
    this.#questions.set(id, { resolve, reject });
    try {
      this.#send({ kind, id, ...about } as ToWorker);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#questions.delete(id);
    }
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #receive(message: FromWorker): void {
    switch (message.kind) {
      case "loaded":
        return this.#loaded.resolve();
      case "log":
        return this.#log.log(message.record);
      case "audit":
        this.#auditReceipts.read(message.line.length);
        return this.#listener.onAudit?.(message.line);
      case "auditLost":
        this.#auditLost += message.count;
        return;
      case "events":
        this.#eventReceipts.read(message.events.chars);
        return this.#listener.onEvents?.(message.events, this.number);
      case "failed":
        return this.#fail(new WorkerError("failed", `worker ${this.number}: ${message.reason}`));
      case "listening":
        return this.#listening.resolve(message.socketFd);
      case "readiness":
        if (this.#failure === undefined) this.#notReady = message.reason;
        this.#probes = message.probes;
        return this.#listener.onReadiness?.();
      case "pong":
        return this.#questions.get(message.id)?.resolve("");
      case "metrics":
      case "status":
        return this.#questions.get(message.id)?.resolve(message.text);
      case "stopped":
        return this.#stopped.resolve();
    }
  }

  /** The first reason stays. */
  #fail(error: WorkerError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#notReady = error.message;
    for (const waiting of [this.#end, this.#loaded, this.#listening, this.#stopped]) waiting.reject(error);
    for (const question of this.#questions.values()) question.reject(error);
    this.#listener.onReadiness?.();
  }
}
