import { configureSync, getLogger, type LogRecord, resetSync } from "@logtape/logtape";
import { logFaults } from "./fault_log.ts";
import { formatJson } from "./log_json.ts";
import { LogLimiter } from "./log_limiter.ts";
import { LogOutputs } from "./log_outputs.ts";
import { formatText } from "./log_text.ts";
import { Verbosity } from "./log_verbosity.ts";
import type { LoggingContext, LoggingSettings } from "./logging_settings.ts";

const log = getLogger(["faults"]);

/** Whatever threw belongs to nothing that could be ended for it. */
const uncaughtMessage =
  "an error outside of every connection and tunnel ends this process, since nobody knows what it " +
  "left in order; whoever started it should start it again, and please report the error that follows";

/** Logging that is set up. */
export interface Logging extends AsyncDisposable {
  /** Waits until everything logged so far is written. */
  flush(): Promise<void>;
  /** Writes everything at once: for the last moment of a process. Runs by itself when the process exits. */
  flushSync(): void;
}

/**
 * Starts logging for the whole process, once; the loggers of `@logtape/logtape` write through it until it is disposed.
 * Lines go to stderr or to files as klog's flags of the same names say. A full log file is emptied (`--log-file`) or
 * followed by a new one (`--log-dir`), as klog does. Writing never blocks: see {@link LogQueue}.
 * @throws {VmoduleError} @throws {LogFileError} when `--log-file` cannot be written
 */
export function configureLogging(settings: LoggingSettings, context: LoggingContext): Logging {
  const verbosity = new Verbosity(settings.verbosity, settings.vmodule);
  const format = formatter(settings);
  const outputs = new LogOutputs(settings, context, format);
  const limiter = new LogLimiter((record) => outputs.write(record));
  const sink = (record: LogRecord) => {
    if (verbosity.logs(record.category, record.level)) limiter.log(record);
  };
  configureSync({
    reset: true,
    sinks: { log: sink },
    loggers: [
      { category: [], sinks: ["log"], lowestLevel: verbosity.lowestLevel },
      { category: ["logtape", "meta"], sinks: ["log"], lowestLevel: "warning", parentSinks: "override" },
    ],
  });
  const stopFaults = logFaults();
  const flushSync = () => {
    limiter.flush();
    outputs.flushSync();
  };
  let held = false;
  // An uncaught error ends the process without `unload`, and a write in flight in another thread may be lost with it.
  const onUncaught = (event: ErrorEvent | PromiseRejectionEvent) => {
    if (!held && outputs.writing) {
      held = true;
      event.preventDefault();
      const error: unknown = "reason" in event ? event.reason : event.error;
      void outputs.flush().then(() => reportError(error));
      return;
    }
    log.fatal(uncaughtMessage);
    flushSync();
  };
  const uncaught = ["error", "unhandledrejection"] as const;
  globalThis.addEventListener("unload", flushSync);
  for (const kind of uncaught) globalThis.addEventListener(kind, onUncaught);
  return {
    flush: () => outputs.flush(),
    flushSync,
    async [Symbol.asyncDispose]() {
      globalThis.removeEventListener("unload", flushSync);
      for (const kind of uncaught) globalThis.removeEventListener(kind, onUncaught);
      stopFaults();
      resetSync();
      limiter.flush();
      await outputs.close();
    },
  };
}

function formatter({ loggingFormat, skipHeaders }: LoggingSettings): (record: LogRecord) => string {
  if (loggingFormat === "json") return formatJson;
  const format = { pid: Deno.pid, skipHeaders };
  return (record) => formatText(record, format);
}
