/** klog's severities, in rising order: the values of `--stderrthreshold` and `--alsologtostderrthreshold`. */
export const severities = ["INFO", "WARNING", "ERROR", "FATAL"] as const;

/** How a program logs: klog's flags, and the format, which is ours. */
export interface LoggingOptions {
  /** `--logging-format`: klog-like lines or one JSON object a line. */
  readonly loggingFormat: "text" | "json";
  /** `-v`, `--v`: messages up to this level are logged. */
  readonly verbosity: number;
  /** `--vmodule`: `pattern=N` pairs as they were given, checked; see parseVmodule. */
  readonly vmodule: string;
  /** `--logtostderr`: true logs to stderr only, false to files. */
  readonly logtostderr: boolean;
  readonly alsologtostderr: boolean;
  /** Index into {@link severities}. */
  readonly alsologtostderrthreshold: number;
  /** Index into {@link severities}. */
  readonly stderrthreshold: number;
  readonly legacyStderrThresholdBehavior: boolean;
  /** Folder for log files; empty: the system's temporary folder. */
  readonly logDir: string;
  /** The one log file; empty: one a program and severity in `logDir`. */
  readonly logFile: string;
  /** Mebibytes at which a new log file is begun; 0: never. */
  readonly logFileMaxSizeMib: number;
  /** `file.ts:N`, or `:0` for nowhere. */
  readonly logBacktraceAt: string;
  readonly addDirHeader: boolean;
  readonly oneOutput: boolean;
  readonly skipHeaders: boolean;
  readonly skipLogHeaders: boolean;
}
