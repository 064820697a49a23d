import assert from "node:assert/strict";
import { type AddressInfo, connect as connectSocket } from "node:net";
import { connect, createServer } from "node:tls";
import { leakTest } from "../../../tests/support/assert/leak_free.ts";
import { until } from "../../../tests/support/assert/until.ts";
import { testCertificates } from "../../../tests/support/in_process/test_certificates.ts";
import { handshakesInTurns, handshakeTurnMs, HandshakeTurns, handshakeTurns } from "./handshake_turns.ts";

/** Turns of an event loop that a test makes, on a clock that stands still but for the work that is done. */
class Lab {
  #now = 0;
  #next: (() => void) | undefined;
  readonly done: string[] = [];
  readonly turns = new HandshakeTurns({
    now: () => this.#now,
    nextTurn: (step) => {
      assert.equal(this.#next, undefined, "one turn is waited for at a time");
      this.#next = step;
    },
  });

  /** A step that takes some milliseconds. */
  step(name: string, ms: number = 1): () => void {
    return () => {
      this.#now += ms;
      this.done.push(name);
    };
  }

  /** Lets turns pass. @returns what was done in them */
  pass(turns: number): number {
    const before = this.done.length;
    for (let turn = 0; turn < turns; turn++) {
      const next = this.#next;
      this.#next = undefined;
      next?.();
    }
    return this.done.length - before;
  }

  get idle(): boolean {
    return this.#next === undefined;
  }
}

Deno.test("a turn has as many steps as its share allows, and the first to come are the first to be done", () => {
  const lab = new Lab();
  const names = Array.from({ length: 20 }, (_, at) => String(at));
  for (const name of names) lab.turns.take(lab.step(name));
  assert.equal(lab.done.length, handshakeTurnMs);
  assert.equal(lab.turns.waiting, 20 - handshakeTurnMs);
  for (let turn = 0; turn < 3; turn++) assert.equal(lab.pass(1), handshakeTurnMs);
  // Nothing overtakes what waits.
  lab.turns.take(lab.step("late"));
  lab.pass(10);
  assert.deepEqual(lab.done, [...names, "late"]);
  assert.ok(lab.idle, "nothing is left to do, and no turn is asked for");
});

Deno.test("a step that costs more than a turn's share is done all the same, and others wait for as many turns", () => {
  const lab = new Lab();
  lab.turns.take(lab.step("heavy", 3 * handshakeTurnMs));
  lab.turns.take(lab.step("next"));
  assert.deepEqual(lab.done, ["heavy"]);
  lab.pass(10);
  assert.deepEqual(lab.done, ["heavy", "next"]);
});

Deno.test("what cannot wait is done at once, and what can has less of its turn", () => {
  const lab = new Lab();
  for (let at = 0; at < handshakeTurnMs; at++) lab.turns.spend(lab.step(`end ${at}`));
  lab.turns.take(lab.step("begin"));
  assert.equal(lab.done.includes("begin"), false);
  lab.turns.spend(lab.step("end"));
  assert.equal(lab.done.at(-1), "end");
  assert.equal(lab.pass(1), 1);
  assert.equal(lab.done.at(-1), "begin");
});

Deno.test("a step that is taken back is not done, and one that throws keeps no other back", () => {
  const lab = new Lab();
  for (let at = 0; at < handshakeTurnMs; at++) lab.turns.take(lab.step("first"));
  const takeBack = lab.turns.take(lab.step("gone"));
  lab.turns.take(lab.step("last"));
  takeBack();
  takeBack();
  lab.pass(5);
  assert.deepEqual(lab.done.slice(handshakeTurnMs), ["last"]);
  assert.throws(() =>
    lab.turns.take(() => {
      throw new Error("of the caller");
    }), /of the caller/);
  lab.turns.take(lab.step("on"));
  lab.pass(5);
  assert.equal(lab.done.at(-1), "on");
  assert.ok(lab.idle);
});

leakTest(
  "a server that begins handshakes in turns serves all who come at once, and forgets those that leave",
  async () => {
    const { ca, server: { certPem: cert, keyPem: key } } = await testCertificates();
    const server = createServer({ cert, key });
    handshakesInTurns(server, (_socket, step) => step());
    let most = 0;
    server.on("connection", () => most = Math.max(most, handshakeTurns.waiting));
    server.on("tlsClientError", (_error, socket) => socket.destroy());
    server.on("secureConnection", (socket) => {
      socket.on("error", () => {});
      socket.resume().end("hello");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const served = Array.from({ length: 60 }, () =>
      new Promise<string>((resolve, reject) => {
        let text = "";
        const client = connect({ host: "127.0.0.1", port, ca: ca.certPem, servername: "localhost" });
        client.setEncoding("utf8").on("data", (part: string) => text += part);
        client.on("error", reject).on("close", () => resolve(text));
      }));
    const left = Array.from({ length: 20 }, () =>
      new Promise<void>((resolve) => {
        const client = connectSocket(port, "127.0.0.1", () => client.resetAndDestroy());
        client.on("error", () => {}).on("close", () => resolve());
      }));
    assert.deepEqual(await Promise.all(served), served.map(() => "hello"));
    await Promise.all(left);
    await until("nobody waits", () => handshakeTurns.waiting === 0);
    assert.ok(most > 0, "some had to wait");
    await new Promise((resolve) => server.close(resolve));
  },
);
