import type { LogDestination } from "./log_queue.ts";

/**
 * How a program logs, in klog's flags. klog's `--add-dir-header` and `--log-backtrace-at` have nothing to act on (lines
 * carry the whole category, and there are no source lines), so they are not here.
 */
export interface LoggingSettings {
  readonly loggingFormat: "text" | "json";
  /** `-v`; see levelVerbosity for what it shows. */
  readonly verbosity: number;
  /** `pattern=N,…` over categories. */
  readonly vmodule: string;
  readonly logtostderr: boolean;
  readonly alsologtostderr: boolean;
  /** 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL; the same for `stderrthreshold`. */
  readonly alsologtostderrthreshold: number;
  readonly stderrthreshold: number;
  readonly legacyStderrThresholdBehavior: boolean;
  /** Empty: the system's temporary folder. */
  readonly logDir: string;
  readonly logFile: string;
  /** Mebibytes; 0: no limit. */
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
}
