import assert from "node:assert/strict";
import { VirtualClock } from "../../../tests/support/fakes/virtual_clock.ts";
import { keepAlive, keepaliveTimeoutMs, type Pingable } from "./keepalive.ts";

/** A connection whose peer answers pings as long as the test wants. */
class FakeConnection implements Pingable {
  answers = true;
  pings = 0;
  /** Grows by itself while the peer sends something. */
  sends = false;
  #bytesRead = 0;
  destroyed = false;
  error: Error | undefined;
  #onClose = () => {};

  get bytesRead(): number {
    return this.sends ? ++this.#bytesRead : this.#bytesRead;
  }

  ping(onAnswer: () => void): void {
    this.pings++;
    if (this.answers) queueMicrotask(onAnswer);
  }

  destroy(error: Error): void {
    this.error = error;
    this.close();
  }

  close(): void {
    this.destroyed = true;
    this.#onClose();
  }

  once(_event: "close", listener: () => void): void {
    this.#onClose = listener;
  }
}

/** A connection that is pinged, and its clock. Deadlines that it leaves behind fail the test. */
function keepaliveTest(
  name: string,
  body: (connection: FakeConnection, clock: VirtualClock) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const clock = new VirtualClock();
    await body(new FakeConnection(), clock);
    assert.equal(clock.pending, 0);
  });
}

keepaliveTest("a peer that answers is pinged again and again, and stays", async (connection, clock) => {
  keepAlive(connection, 10_000, clock, 5_000);
  await clock.run(100_000);
  assert.deepEqual([connection.pings, connection.destroyed], [10, false]);
  connection.close();
});

keepaliveTest(
  "a peer that stops answering is dropped after the time it has for an answer",
  async (connection, clock) => {
    keepAlive(connection, 10_000, clock, 5_000);
    await clock.run(20_000);
    connection.answers = false;
    await clock.run(14_999);
    assert.deepEqual([connection.pings, connection.destroyed], [3, false]);
    await clock.run(1);
    assert.equal(connection.error?.message, "no answer to a ping in 5000 ms");
  },
);

keepaliveTest(
  "a peer whose answer waits behind data is not dropped while any of the data comes",
  async (connection, clock) => {
    connection.answers = false;
    connection.sends = true;
    keepAlive(connection, 10_000, clock, 5_000);
    await clock.run(60_000);
    assert.deepEqual([connection.pings, connection.destroyed], [1, false]);
    connection.sends = false;
    await clock.run(10_000);
    assert.equal(connection.destroyed, true);
  },
);

keepaliveTest(
  "a peer that sends anything is pinged once, for its distance, and again when it has been silent for an interval",
  async (connection, clock) => {
    connection.sends = true;
    keepAlive(connection, 10_000, clock, 5_000);
    await clock.run(60_000);
    assert.equal(connection.pings, 1);
    connection.sends = false;
    await clock.run(9_999);
    assert.equal(connection.pings, 1);
    await clock.run(2_501);
    assert.equal(connection.pings, 2);
    connection.close();
  },
);

keepaliveTest("an interval of 0 is no keepalive", async (connection, clock) => {
  keepAlive(connection, 0, clock, 1);
  await clock.run(3_600_000);
  assert.deepEqual([connection.pings, connection.destroyed], [0, false]);
});

keepaliveTest("a connection that ends while its ping is in flight leaves no deadline", async (connection, clock) => {
  connection.answers = false;
  keepAlive(connection, 10_000, clock, 3_600_000);
  await clock.run(10_000);
  assert.equal(connection.pings, 1);
  connection.close();
});

Deno.test("[server 2.2] with the default interval of 10 s a dead agent is noticed within 30 s", () => {
  assert.ok(10_000 * 5 / 4 + keepaliveTimeoutMs < 30_000);
});
