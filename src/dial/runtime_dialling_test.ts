/** What the runtime does by itself where a name has several addresses; each test fails once that is mended. */
import assert from "node:assert/strict";
import { connect, type LookupFunction } from "node:net";
import { blackHole } from "../../tests/support/fakes/black_hole.ts";
import { leakTest } from "../../tests/support/assert/leak_free.ts";

leakTest("the runtime aborts an attempt when the next begins, and says nothing of why all failed (2.9.6)", async () => {
  using slow = await blackHole("127.0.0.2");
  // Nobody listens at the second one.
  const addresses = ["127.0.0.2", "127.0.0.3"].map((address) => ({ address, family: 4 }));
  const lookup: LookupFunction = (_name, _options, callback) => callback(null, addresses);
  const socket = connect({ host: "several", port: slow.port, lookup, autoSelectFamily: true });
  const failed = new Promise<Error>((resolve) => {
    socket.once("error", resolve).once("connect", () => resolve(new Error("connected to the slow address")));
  });
  // Its first packet is lost by then; the next one, a second later, would connect.
  await new Promise((resolve) => setTimeout(resolve, 100));
  slow.open();
  const error = await failed;
  socket.destroy();
  assert.ok(error instanceof AggregateError, "AddressRace is needed no more, or must be looked at again");
  assert.equal(error.message, "", "wordsOf need not look into AggregateError any more");
});
