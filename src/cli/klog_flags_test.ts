import assert from "node:assert/strict";
import { FlagError, FlagValueError } from "./flag_error.ts";
import { klogFlags, loggingOptions, parseVmodule } from "./klog_flags.ts";
import { parseArgs } from "./pflag.ts";

function options(...args: string[]) {
  return loggingOptions(parseArgs(klogFlags(4), args).values);
}

Deno.test("logging is klog's by default", () => {
  assert.deepEqual(options(), {
    loggingFormat: "text",
    verbosity: 4,
    vmodule: "",
    logtostderr: true,
    alsologtostderr: false,
    alsologtostderrthreshold: 0,
    stderrthreshold: 2,
    legacyStderrThresholdBehavior: true,
    logDir: "",
    logFile: "",
    logFileMaxSizeMib: 1800,
    logBacktraceAt: ":0",
    addDirHeader: false,
    oneOutput: false,
    skipHeaders: false,
    skipLogHeaders: false,
  });
});

Deno.test("severities are names in any case, or numbers", () => {
  assert.equal(options("--stderrthreshold=warning").stderrthreshold, 1);
  assert.equal(options("--stderrthreshold=FATAL").stderrthreshold, 3);
  assert.equal(options("--stderrthreshold=0").stderrthreshold, 0);
  assert.throws(() => options("--stderrthreshold=FOO"), FlagError);
});

Deno.test("--vmodule is a list of pattern=N", () => {
  assert.deepEqual(parseVmodule("a=1,b*=2,"), [{ pattern: "a", level: 1 }, { pattern: "b*", level: 2 }]);
  assert.equal(options("--vmodule=a=1,b=2").vmodule, "a=1,b=2");
  for (const text of ["a", "a=", "=1", "a=x", "a=1=2"]) {
    assert.throws(() => parseVmodule(text), {
      message: "syntax error: expect comma-separated list of filename=N",
    });
  }
  assert.throws(() => parseVmodule("a=-1"), FlagValueError);
});

Deno.test("--log-backtrace-at is a place in a file", () => {
  assert.equal(options("--log-backtrace-at=a.ts:7").logBacktraceAt, "a.ts:7");
  assert.equal(options("--log-backtrace-at=").logBacktraceAt, "");
  for (const text of ["a", "a:1", "a.ts:x", "a.ts:0", "a.ts:-1", "a.ts:1:2"]) {
    assert.throws(() => options(`--log-backtrace-at=${text}`), FlagError);
  }
});

Deno.test("--logging-format is text or json", () => {
  assert.equal(options("--logging-format=json").loggingFormat, "json");
  assert.throws(() => options("--logging-format=xml"), {
    message: 'invalid argument "xml" for "--logging-format" flag: must be one of: text, json',
  });
});
