import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { until } from "../../../tests/support/assert/until.ts";
import { keepShape } from "./kept_shapes.ts";

Deno.test("the first objects of each kind stay, with what they refer to, and the others are garbage", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const made = Array.from({ length: 10 }, (_, at) => {
    const inner = { at };
    keepShape(at % 2 === 0 ? "even" : "odd", { inner });
    return new WeakRef(inner);
  });
  const alive = () => made.flatMap((one) => one.deref()?.at ?? []);
  await until("the others are garbage", () => {
    collect();
    return alive().length <= 6;
  });
  assert.deepEqual(alive(), [0, 1, 2, 3, 4, 5]);
});
