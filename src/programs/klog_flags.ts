import {
  bool,
  choice,
  type Flag,
  type FlagType,
  type FlagValues,
  inGroup,
  string,
  uint,
  withWords,
} from "../flags/flag.ts";
import { FlagValueError } from "../flags/flag_error.ts";
import { parseInt32 } from "../flags/go_values.ts";
import { type LoggingSettings, severities } from "../logging/logging_settings.ts";
import { parseVmodule, VmoduleError } from "../logging/vmodule.ts";

/** Checks `file.ts:N`; empty or `:0` means nowhere. */
function checkTraceLocation(text: string): string {
  if (text === "" || text === ":0") return text;
  const [file = "", line = "", ...more] = text.split(":");
  if (!file.includes(".") || !/^[-+]?\d+$/.test(line) || more.length > 0) {
    throw new FlagValueError("syntax error: expect file.go:234");
  }
  if (Number(line) <= 0) throw new FlagValueError("negative or zero value for level");
  return text;
}

/** A severity's name in any case, or its number. */
function parseSeverity(text: string): number {
  const index = severities.findIndex((name) => name === text.toUpperCase());
  return index >= 0 ? index : parseInt32(text);
}

const level: FlagType = { label: "Level", parse: parseInt32 };
const severity: FlagType = { label: "severity", parse: parseSeverity };
const moduleSpec: FlagType = {
  label: "moduleSpec",
  parse: (text) => {
    try {
      parseVmodule(text);
      return text;
    } catch (error) {
      throw error instanceof VmoduleError ? new FlagValueError(error.message) : error;
    }
  },
};
const traceLocation: FlagType = { label: "traceLocation", parse: checkTraceLocation };
// Flags of Go's own flag package fail with these words, whatever is wrong.
const goBool: FlagType = { ...bool, parse: withWords(bool.parse, () => "parse error") };
const goUint: FlagType = {
  ...uint,
  parse: withWords(
    uint.parse,
    ({ message }) => message.endsWith("out of range") ? "value out of range" : "parse error",
  ),
};

/** klog's flags and `--logging-format`, which every program has. @param verbosity the program's default for `-v` */
export function klogFlags(verbosity: number): Flag[] {
  return inGroup("Logging", [
    {
      name: "logging-format",
      type: choice("text", "json"),
      default: "text",
      help: "text for lines as klog writes them, json for one JSON object a line",
      since: "ours",
    },
    {
      name: "v",
      shorthand: "v",
      type: level,
      default: String(verbosity),
      help: "log messages up to this level: 0 for what an operator must know, 4 for debugging",
    },
    {
      name: "vmodule",
      type: moduleSpec,
      default: "",
      help: "levels for single categories, such as server/*: comma list of pattern=N, where a pattern may hold * and ?",
    },
    {
      name: "logtostderr",
      type: goBool,
      default: "true",
      help: "log to stderr; false logs to --log-file or into --log-dir",
    },
    {
      name: "alsologtostderr",
      type: goBool,
      default: "false",
      help: "with --logtostderr=false: log to stderr as well",
    },
    {
      name: "alsologtostderrthreshold",
      type: severity,
      default: "0",
      defaultText: "INFO",
      help: "with --alsologtostderr: the lowest severity that goes to stderr, as a name or a number from 0",
    },
    {
      name: "stderrthreshold",
      type: severity,
      default: "2",
      defaultText: "ERROR",
      help: "when logging to files: the lowest severity that also goes to stderr " +
        "(INFO, WARNING, ERROR, FATAL or 0 to 3)",
    },
    {
      name: "legacy-stderr-threshold-behavior",
      type: goBool,
      default: "true",
      help: "with --logtostderr, ignore --stderrthreshold; false honours it",
    },
    {
      name: "log-dir",
      type: string,
      default: "",
      help: "with --logtostderr=false: the folder for log files; empty means the system's temporary folder",
    },
    { name: "log-file", type: string, default: "", help: "with --logtostderr=false: the one log file" },
    {
      name: "log-file-max-size",
      type: goUint,
      default: "1800",
      help: "mebibytes at which --log-file is begun anew; 0 means never",
    },
    {
      name: "log-backtrace-at",
      type: traceLocation,
      default: ":0",
      defaultText: ":0",
      help: "accepted for compatibility: log lines have no place in a file",
    },
    {
      name: "add-dir-header",
      type: goBool,
      default: "false",
      help: "accepted for compatibility: each line's header has the whole category",
    },
    {
      name: "one-output",
      type: goBool,
      default: "false",
      help: "with --log-dir: write a message only to its own severity's file, not to the lower ones too",
    },
    { name: "skip-headers", type: goBool, default: "false", help: "log lines without their headers" },
    {
      name: "skip-log-headers",
      type: goBool,
      default: "false",
      help: "do not begin a log file with lines about it",
    },
  ]);
}

/** What the logging flags said. */
export function loggingOptions(values: FlagValues): LoggingSettings {
  return {
    loggingFormat: values.string("logging-format") === "json" ? "json" : "text",
    verbosity: values.number("v"),
    vmodule: values.string("vmodule"),
    logtostderr: values.bool("logtostderr"),
    alsologtostderr: values.bool("alsologtostderr"),
    alsologtostderrthreshold: values.number("alsologtostderrthreshold"),
    stderrthreshold: values.number("stderrthreshold"),
    legacyStderrThresholdBehavior: values.bool("legacy-stderr-threshold-behavior"),
    logDir: values.string("log-dir"),
    logFile: values.string("log-file"),
    logFileMaxSizeMib: values.number("log-file-max-size"),
    oneOutput: values.bool("one-output"),
    skipHeaders: values.bool("skip-headers"),
    skipLogHeaders: values.bool("skip-log-headers"),
  };
}
