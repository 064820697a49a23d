import assert from "node:assert/strict";
import { formatTraceparent, parseTraceparent } from "./trace_context.ts";

const [traceId, spanId] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];

Deno.test("a traceparent is read and written as W3C's Trace Context has it, one of a later version too", () => {
  const text = `00-${traceId}-${spanId}-01`;
  const context = parseTraceparent(text);
  assert.deepEqual(context, { traceId, spanId, flags: 1 });
  assert.equal(context === undefined ? "" : formatTraceparent(context), text);
  assert.deepEqual(parseTraceparent(`cc-${traceId}-${spanId}-00-what-the-future-brings`), {
    traceId,
    spanId,
    flags: 0,
  });
});

Deno.test("what is no traceparent is none, and its length is bounded", () => {
  const wrong = [
    undefined,
    "",
    `00-${traceId}-${spanId}`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}-01-more`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-01-${"x".repeat(201)}`,
  ];
  for (const text of wrong) assert.equal(parseTraceparent(text), undefined, text);
  assert.equal(parseTraceparent(`cc-${traceId}-${spanId}-ff-${"x".repeat(200)}`)?.flags, 255, "the longest");
});
