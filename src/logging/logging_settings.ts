import type { LogLevel } from "@logtape/logtape";
import type { LogDestination } from "./log_queue.ts";

/** klog's severities, in rising order: the values of `--stderrthreshold` and `--alsologtostderrthreshold`. */
export const severities = ["INFO", "WARNING", "ERROR", "FATAL"] as const;

/** Index into {@link severities}; klog has none below INFO. */
export const severityOf: Readonly<Record<LogLevel, 0 | 1 | 2 | 3>> = {
  trace: 0,
  debug: 0,
  info: 0,
  warning: 1,
  error: 2,
  fatal: 3,
};

/**
 * How a program logs: klog's flags, and the format, which is ours. klog's `--add-dir-header` and `--log-backtrace-at` have
 * nothing to act on (lines carry the whole category, and there are no source lines), so they are not here.
 */
export interface LoggingSettings {
  readonly loggingFormat: "text" | "json";
  /** `-v`; see levelVerbosity for what it shows. */
  readonly verbosity: number;
  /** `pattern=N,…` over categories. */
  readonly vmodule: string;
  /** True logs to stderr only, false to files. */
  readonly logtostderr: boolean;
  readonly alsologtostderr: boolean;
  /** Index into {@link severities}; so is `stderrthreshold`. */
  readonly alsologtostderrthreshold: number;
  readonly stderrthreshold: number;
  readonly legacyStderrThresholdBehavior: boolean;
  /** Empty: the system's temporary folder. */
  readonly logDir: string;
  /** The one log file; empty: one a program and severity in `logDir`. */
  readonly logFile: string;
  /** Mebibytes at which a new log file is begun; 0: never. */
  readonly logFileMaxSizeMib: number;
  readonly oneOutput: boolean;
  readonly skipHeaders: boolean;
  readonly skipLogHeaders: boolean;
}

/** What else logging needs to know of the program. */
export interface LoggingContext {
  /** Begins the names of files in `logDir`, for example `proxy-server`. */
  readonly program: string;
  /** Instead of the process's stderr. */
  readonly stderr?: LogDestination;
  /** Milliseconds since some moment, by which a log that failed is tried again. */
  readonly now?: () => number;
}
