import assert from "node:assert/strict";
import { runModule } from "./module_process.ts";

Deno.test("guided by coverage, faults are found that as many blind inputs do not find; so are loops without an end", async () => {
  const { code, text } = await runModule("./run_planted.ts");
  assert.equal(code, 0, text);
  const { guided, blind } = JSON.parse(text) as Record<string, Record<string, string>>;
  assert.equal(guided?.["nested"], "behind four conditions");
  assert.equal(guided["magic"], "behind a number");
  assert.match(guided["endless"] ?? "", /ran one place more than ten million times/);
  assert.match(guided["quadratic"] ?? "", /^\d+ bytes made \d+ places run, more than \d+$/);
  assert.deepEqual([blind?.["nested"], blind?.["magic"]], [undefined, undefined]);
});

Deno.test("what is kept, what was found, and many thousand inputs more break none of the targets", async () => {
  const { code, text } = await runModule("./run_inputs.ts", "--inputs=2500", "--seed=1");
  assert.equal(code, 0, text);
  assert.match(text, /\d+ inputs over \d{2} targets, 0 faults/);
});
