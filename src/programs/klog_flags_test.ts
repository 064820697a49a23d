import assert from "node:assert/strict";
import { FlagError } from "../flags/flag_error.ts";
import { parseArgs } from "../flags/pflag.ts";
import { klogFlags, loggingOptions } from "./klog_flags.ts";

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
  for (const text of ["", "a=1", "a=1,b*=2,", "a=+1"]) assert.equal(options(`--vmodule=${text}`).vmodule, text);
  for (const text of ["a", "a=", "=1", "a=x", "a=1=2"]) {
    assert.throws(() => options(`--vmodule=${text}`), {
      message: `invalid argument ${JSON.stringify(text)} for "--vmodule" flag: ` +
        "syntax error: expect comma-separated list of filename=N",
    });
  }
  assert.throws(() => options("--vmodule=a=-1"), /negative value for vmodule level/);
});

Deno.test("--log-backtrace-at is a place in a file, and changes nothing", () => {
  for (const text of ["a.ts:7", "", ":0"]) assert.deepEqual(options(`--log-backtrace-at=${text}`), options());
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
