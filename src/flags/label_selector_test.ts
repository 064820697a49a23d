import assert from "node:assert/strict";
import { FlagValueError } from "./flag_error.ts";
import { checkLabelSelector } from "./label_selector.ts";

Deno.test("a label selector may use all of Kubernetes' grammar", () => {
  const good = [
    "",
    "k8s-app=konnectivity-server",
    "a=b,c==d,e!=f",
    "a in (b,c),d notin (e)",
    "a,!b",
    "a>1,b<2",
    "a in ()",
    "a in (,)",
    "a=",
    "example.com/name=value",
    " a = b , c ",
    "in in (in)",
  ];
  for (const text of good) assert.equal(checkLabelSelector(text), text);
});

Deno.test("a broken label selector is refused with what was found and what was expected", () => {
  const cases: [string, string | RegExp][] = [
    ["a=b,", "found '', expected: identifier after ','"],
    [",", "found ',', expected: !, identifier, or 'end of string'"],
    ["a=b c", "found 'c', expected: ',' or 'end of string'"],
    ["a b=c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
    ["a in b", "unable to parse requirement: found 'b', expected: '('"],
    ["!", "unable to parse requirement: found '', expected: identifier"],
    ["a>x", /^unable to parse requirement: "x": for 'Gt', 'Lt' operators, the value must be an integer$/],
    ["*x*", /^unable to parse requirement: "\*x\*": name part must consist of/],
    ["a=-b", /^unable to parse requirement: "-b": a valid label must be empty or consist of/],
    ["x/y/z=1", /^unable to parse requirement: "x\/y\/z"/],
    ["X.y/z=1", /^unable to parse requirement: "X.y\/z": prefix part must be/],
    [`${"a".repeat(64)}=b`, /name part must consist of at most 63/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => checkLabelSelector(text), (error) => {
      assert.ok(error instanceof FlagValueError);
      if (typeof message === "string") assert.equal(error.message, message);
      else assert.match(error.message, message);
      return true;
    });
  }
});
