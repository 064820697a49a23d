import assert from "node:assert/strict";
import { splitCsv } from "./csv.ts";
import { FlagValueError } from "./flag_error.ts";
import { parseBool, parseFloat32, parseInt32, parseInteger, parseUnsigned } from "./go_values.ts";

function refuses(parse: (text: string) => unknown, text: string, message: string): void {
  assert.throws(() => parse(text), (error) => {
    assert.ok(error instanceof FlagValueError);
    assert.equal(error.message, message);
    return true;
  });
}

Deno.test("booleans are those of Go's ParseBool", () => {
  for (const text of ["1", "t", "T", "true", "True", "TRUE"]) assert.equal(parseBool(text), true, text);
  for (const text of ["0", "f", "F", "false", "False", "FALSE"]) assert.equal(parseBool(text), false, text);
  for (const text of ["", "yes", "tRUE", " true"]) {
    refuses(parseBool, text, `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
});

Deno.test("whole numbers are Go's integer literals", () => {
  const cases: [string, number][] = [
    ["8090", 8090],
    ["-1", -1],
    ["+5", 5],
    ["-0", 0],
    ["0x1F90", 8080],
    ["0x_1F", 31],
    ["0b11", 3],
    ["0o17", 15],
    ["010", 8],
    ["1_000", 1000],
  ];
  for (const [text, value] of cases) assert.equal(parseInteger(text), value, text);
  for (const text of ["", "abc", "08", "_1", "1__0", "0x", "1.5", "1e3", " 1", "--1"]) {
    refuses(parseInteger, text, `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const huge = "99999999999999999999";
  refuses(parseInteger, huge, `strconv.ParseInt: parsing "${huge}": value out of range`);
  refuses(parseUnsigned, "-1", 'strconv.ParseUint: parsing "-1": invalid syntax');
  assert.equal(parseUnsigned("0x10"), 16);
});

Deno.test("log levels are decimal and of 32 bits", () => {
  assert.equal(parseInt32("-1"), -1);
  assert.ok(Object.is(parseInt32("-0"), 0));
  refuses(parseInt32, "0x1", 'strconv.ParseInt: parsing "0x1": invalid syntax');
  refuses(parseInt32, "99999999999", 'strconv.ParseInt: parsing "99999999999": value out of range');
});

Deno.test("fractions are of single precision", () => {
  assert.equal(parseFloat32("0.5"), 0.5);
  assert.ok(Object.is(parseFloat32("-0"), 0));
  assert.equal(parseFloat32(".5"), 0.5);
  assert.equal(parseFloat32("5."), 5);
  assert.equal(parseFloat32("1e2"), 100);
  assert.equal(parseFloat32("inf"), Infinity);
  refuses(parseFloat32, "abc", 'strconv.ParseFloat: parsing "abc": invalid syntax');
  refuses(parseFloat32, "1e99", 'strconv.ParseFloat: parsing "1e99": value out of range');
});

Deno.test("lists are comma-separated values with Go's quoting", () => {
  assert.deepEqual(splitCsv(""), []);
  assert.deepEqual(splitCsv("a"), ["a"]);
  assert.deepEqual(splitCsv("a,b,"), ["a", "b", ""]);
  assert.deepEqual(splitCsv('"a,b",c'), ["a,b", "c"]);
  assert.deepEqual(splitCsv('"a""b"'), ['a"b']);
  refuses(splitCsv, '"a', 'parse error on line 1, column 3: extraneous or missing " in quoted-field');
  refuses(splitCsv, '"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field');
  refuses(splitCsv, 'a,"b', 'parse error on line 1, column 5: extraneous or missing " in quoted-field');
  refuses(splitCsv, 'a"b', 'parse error on line 1, column 2: bare " in non-quoted-field');
});
