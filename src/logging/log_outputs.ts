import type { LogLevel, LogRecord } from "@logtape/logtape";
import { LogFile } from "./log_file.ts";
import { type LogDestination, LogQueue, type LogQueueOptions } from "./log_queue.ts";
import { type LoggingContext, type LoggingSettings, severities, severityOf } from "./logging_settings.ts";

/** Stderr and files, each with its queue, and which severities go to which. */
export class LogOutputs {
  readonly #settings: LoggingSettings;
  readonly #context: LoggingContext;
  readonly #format: (record: LogRecord) => string;
  readonly #stderr: LogQueue;
  /** One for `--log-file`, else one a severity, made when first needed. */
  readonly #files = new Map<number, { readonly file: LogFile; readonly queue: LogQueue }>();

  /** @throws {LogFileError} when `--log-file` cannot be written */
  constructor(settings: LoggingSettings, context: LoggingContext, format: (record: LogRecord) => string) {
    this.#settings = settings;
    this.#context = context;
    this.#format = format;
    this.#stderr = this.#queue(context.stderr ?? Deno.stderr);
    if (!settings.logtostderr && settings.logFile !== "") this.#fileOf(0).file.open();
  }

  /** Formats a record once and hands it to every output that its severity goes to. */
  write(record: LogRecord): void {
    const severity = severityOf[record.level];
    const line = this.#format(record);
    if (this.#goesToStderr(severity)) this.#stderr.push(line);
    if (this.#settings.logtostderr) return;
    const { logFile, oneOutput } = this.#settings;
    const highest = logFile === "" ? severity : 0;
    const lowest = oneOutput ? highest : 0;
    for (let of = highest; of >= lowest; of--) this.#fileOf(of).queue.push(line);
  }

  /** A write is in flight. */
  get writing(): boolean {
    return this.#queues().some((queue) => queue.writing);
  }

  async flush(): Promise<void> {
    await Promise.all(this.#queues().map((queue) => queue.flush()));
  }

  flushSync(): void {
    for (const queue of this.#queues()) queue.flushSync();
  }

  async close(): Promise<void> {
    await this.flush();
    for (const { file } of this.#files.values()) file[Symbol.dispose]();
    this.#files.clear();
  }

  #goesToStderr(severity: number): boolean {
    const { logtostderr, alsologtostderr, alsologtostderrthreshold, stderrthreshold } = this.#settings;
    if (logtostderr) return this.#settings.legacyStderrThresholdBehavior || severity >= stderrthreshold;
    return severity >= (alsologtostderr ? alsologtostderrthreshold : stderrthreshold);
  }

  #queues(): LogQueue[] {
    return [this.#stderr, ...Array.from(this.#files.values(), ({ queue }) => queue)];
  }

  #queue(destination: LogDestination, onFailure?: LogQueueOptions["onFailure"]): LogQueue {
    const { now } = this.#context;
    const dropped = (count: number) => {
      const message = `dropped ${count} lines because the log took them too slowly or failed`;
      return this.#format(recordOf("warning", message));
    };
    return new LogQueue(destination, dropped, {
      ...(onFailure === undefined ? {} : { onFailure }),
      ...(now === undefined ? {} : { now }),
    });
  }

  #fileOf(severity: number): { readonly file: LogFile; readonly queue: LogQueue } {
    const known = this.#files.get(severity);
    if (known !== undefined) return known;
    const { logFile, logFileMaxSizeMib } = this.#settings;
    const file = new LogFile({
      path: () => logFile === "" ? this.#pathInFolder(severity) : logFile,
      mustBeNew: logFile === "",
      maxBytes: logFileMaxSizeMib * 1024 * 1024,
      heading: () => this.#heading(),
    });
    // A log that cannot be kept must not end the tunnels: stderr has it, once, and the file is tried again.
    const queue = this.#queue(file, (error) => {
      const why = error instanceof Error ? error.message : String(error);
      this.#stderr.push(this.#format(recordOf("error", `log lines are lost: ${why}`)));
    });
    const made = { file, queue };
    this.#files.set(severity, made);
    return made;
  }

  /** klog's names: program, host, user, severity, time and process. The user cannot be asked for under the sandbox. */
  #pathInFolder(severity: number): string {
    const folder = this.#settings.logDir === "" ? "/tmp" : this.#settings.logDir.replace(/\/$/, "");
    const time = new Date().toISOString().replace(/[-:]|\..*/g, "").replace("T", "-");
    const name = `${this.#context.program}.${hostName()}.unknownuser.log.${severities[severity]}.${time}.${Deno.pid}`;
    return `${folder}/${name}`;
  }

  #heading(): string {
    const { skipHeaders, skipLogHeaders, loggingFormat } = this.#settings;
    if (skipHeaders || skipLogHeaders || loggingFormat === "json") return "";
    return `Log file created at: ${new Date().toISOString()}\nRunning on machine: ${hostName()}\n` +
      `Binary: ${this.#context.program}, Deno ${Deno.version.deno} for ${Deno.build.target}\n` +
      "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu processid category] msg\n";
  }
}

function recordOf(level: LogLevel, message: string): LogRecord {
  return {
    category: ["logging"],
    level,
    message: [message],
    rawMessage: message,
    timestamp: Date.now(),
    properties: {},
  };
}

/** Up to its first dot, as klog has it. */
function hostName(): string {
  // Asked for first, because the runtime would ask the user on a terminal. klog has this word too when it cannot find out.
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname().replace(/\..*$/, "") : "unknownhost";
}
