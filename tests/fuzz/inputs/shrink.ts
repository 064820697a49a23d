import { causeOf } from "./fuzz_loop.ts";
import type { FuzzTarget } from "./target.ts";

/** Takes away what an input needs not to fail for the same cause. */
export async function shrink(target: FuzzTarget, input: Uint8Array, error: unknown): Promise<Uint8Array> {
  Error.stackTraceLimit = 20;
  const cause = causeOf(error);
  let smallest = input;
  let tries = 2000;
  for (let size = Math.max(1, input.length >> 1); size >= 1 && tries > 0; size >>= 1) {
    for (let at = 0; at + size <= smallest.length && tries-- > 0;) {
      const shorter = new Uint8Array([...smallest.subarray(0, at), ...smallest.subarray(at + size)]);
      if (await failure(target, shorter) === cause) smallest = shorter;
      else at += size;
    }
  }
  return smallest;
}

/** What an input breaks; undefined where all holds. */
async function failure(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  try {
    await target.run(input);
    return undefined;
  } catch (error) {
    return causeOf(error);
  }
}
