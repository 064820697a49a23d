import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { corkForTurn } from "./turn_cork.ts";

/** A socket that notes how many pieces each write to the system has. */
class Sink extends Writable {
  readonly writes: number[] = [];
  override _write(_chunk: unknown, _encoding: string, callback: () => void): void {
    this.writes.push(1);
    callback();
  }
  override _writev(chunks: readonly unknown[], callback: () => void): void {
    this.writes.push(chunks.length);
    callback();
  }
}

Deno.test("what a turn writes to each socket is one write, and the next turn's another", async () => {
  const [one, other] = [new Sink(), new Sink()];
  for (const turn of [1, 2]) {
    for (const piece of ["a", "b", "c"]) {
      for (const sink of [one, other]) {
        corkForTurn(sink);
        sink.write(piece);
      }
    }
    assert.equal(one.writes.length, turn - 1);
    await Promise.resolve();
    assert.deepEqual([one.writes, other.writes], [Array(turn).fill(3), Array(turn).fill(3)]);
  }
});

Deno.test("a socket that fails keeps no other from being written", async () => {
  const [good, bad] = [new Sink(), new Sink()];
  bad.uncork = () => {
    throw new Error("it fails");
  };
  let failed = 0;
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    failed++;
  };
  addEventListener("error", onError);
  corkForTurn(good);
  good.write("a");
  corkForTurn(bad);
  await new Promise((resolve) => setTimeout(resolve, 0));
  removeEventListener("error", onError);
  assert.deepEqual(good.writes, [1]);
  assert.equal(failed, 1);
});
