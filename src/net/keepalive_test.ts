import assert from "node:assert/strict";
import { MockedTime } from "../../tests/support/mocked_time.ts";
import { until } from "../../tests/support/until.ts";
import { waitingLimits } from "../time/time_limit.ts";
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

/** Limits of time that a connection leaves behind fail the test. */
function limitTest(name: string, body: () => Promise<void>): void {
  Deno.test(name, async () => {
    await body();
    assert.equal(waitingLimits(), 0);
  });
}

limitTest("a peer that answers is pinged again and again, and stays", async () => {
  const connection = new FakeConnection();
  keepAlive(connection, 1, 5_000);
  await until("it was pinged ten times", () => connection.pings >= 10);
  assert.equal(connection.destroyed, false);
  connection.close();
});

limitTest("a peer that stops answering is dropped after the time it has for an answer", async () => {
  const connection = new FakeConnection();
  keepAlive(connection, 1, 20);
  await until("it was pinged", () => connection.pings >= 2);
  connection.answers = false;
  await until("it is dropped", () => connection.destroyed);
  assert.equal(connection.error?.message, "no answer to a ping in 20 ms");
});

limitTest("a peer whose answer waits behind data is not dropped while any of the data comes", async () => {
  const connection = new FakeConnection();
  connection.answers = false;
  connection.sends = true;
  const reads = () => {
    connection.sends = false;
    const { bytesRead } = connection;
    connection.sends = true;
    return bytesRead;
  };
  keepAlive(connection, 1, 5);
  await until("several limits have passed", () => reads() > 6);
  assert.equal(connection.destroyed, false);
  connection.sends = false;
  await until("it is dropped", () => connection.destroyed);
});

Deno.test("an interval of 0 is no keepalive", () => {
  using time = new MockedTime();
  const connection = new FakeConnection();
  keepAlive(connection, 0, 1);
  time.pass(3_600_000);
  assert.deepEqual([connection.pings, connection.destroyed], [0, false]);
});

limitTest("a connection that ends while its ping is under way leaves no limit", async () => {
  const connection = new FakeConnection();
  connection.answers = false;
  keepAlive(connection, 1, 3_600_000);
  await until("it was pinged", () => connection.pings === 1);
  connection.close();
});

Deno.test("[server 2.2] with the default interval of 10 s a dead agent is noticed within 30 s", () => {
  assert.ok(10_000 + keepaliveTimeoutMs < 30_000);
});
