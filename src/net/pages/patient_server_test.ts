import assert from "node:assert/strict";
import { createServer } from "node:net";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { httpGet } from "../../../tests/support/processes/processes.ts";
import { listen, type ListenError, stopListening } from "../tcp/listen.ts";
import { systemClock } from "../../runtime/system_clock.ts";
import { serveHttpPatiently } from "./patient_server.ts";

const page = () => new Response("here");

/** Somebody else's port on 127.0.0.1, until it is disposed of. */
async function takenPort(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  const bound = await listen(server, { kind: "tcp", host: "127.0.0.1", port: 0 });
  return {
    port: bound.kind === "tcp" ? bound.port : 0,
    [Symbol.asyncDispose]: () => new Promise((resolve) => stopListening(server, bound, resolve)),
  };
}

function heard(): { readonly failures: ListenError[]; opened: number } {
  return { failures: [], opened: 0 };
}

leakTest("a port that somebody else has is said once, and served as soon as it is free", async () => {
  const log = heard();
  const taken = await takenPort();
  await using server = await serveHttpPatiently({ host: "127.0.0.1", port: taken.port }, page, systemClock, {
    failed: (error) => log.failures.push(error),
    opened: () => log.opened++,
  });
  assert.equal(server.port, taken.port);
  assert.match(log.failures.map(({ message }) => message).join(), /address already in use/);
  await taken[Symbol.asyncDispose]();
  await until("it is open", () => log.opened === 1);
  assert.equal((await httpGet(server.port, "/")).body, "here");
  assert.equal(log.failures.length, 1);
});

leakTest("a port that is free is open at once, and nothing is said of it", async () => {
  const log = heard();
  await using server = await serveHttpPatiently({ host: "127.0.0.1", port: 0 }, page, systemClock, {
    failed: (error) => log.failures.push(error),
    opened: () => log.opened++,
  });
  assert.equal((await httpGet(server.port, "/")).status, 200);
  assert.deepEqual([log.failures.length, log.opened], [0, 0]);
});

leakTest("who waits for a port can be closed, and leaves the port alone from then on", async () => {
  await using taken = await takenPort();
  const server = await serveHttpPatiently({ host: "127.0.0.1", port: taken.port }, page, systemClock, {
    failed: () => {},
    opened: () => assert.fail("it was closed"),
  });
  await server.close();
  await server.closed;
});
