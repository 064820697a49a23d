import assert from "node:assert/strict";
import { Agent, get } from "node:http";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { limitFiles, plenty, takeFiles } from "./taken_files.ts";

/** A connection to a health port that is kept: without descriptors no other is accepted. */
class KeptHealth implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  ask(): Promise<string> {
    return new Promise((resolve, reject) => {
      get({ agent: this.#agent, host: "127.0.0.1", port: this.#port, path: "/healthz" }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => body += text);
        answer.on("end", () => resolve(body));
      }).on("error", reject);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

faultTest("all descriptors of a machine are taken while a server runs, and given back", async () => {
  await using world = await FaultWorld.start("connect-uds");
  const { launched, echo } = world;
  const { server } = launched;
  using health = new KeptHealth(server.healthPort);
  await using held = new AsyncDisposableStack();
  const dial = async () => held.use(await held.use(await launched.client()).dial(echo.address));
  const open = new Conversation(await dial());
  assert.equal(await health.ask(), "ok");
  await world.goesOn();
  const over = world.excuse("no descriptor is left");
  await takeFiles(server.program.pid);
  const waiting: Promise<unknown>[] = [];
  await until("no descriptor is left", async () => {
    const waits = dial();
    waits.catch(() => {});
    waiting.push(waits);
    return /^no file descriptor is left/.test(await health.ask());
  });
  assert.equal(await open.ask("meanwhile"), "meanwhile");
  await limitFiles(server.program.pid, plenty);
  await Promise.allSettled(waiting);
  await until("a dial succeeds", () => dial().then(() => true, () => false));
  over();
  assert.equal(await health.ask(), "ok");
  assert.equal(await open.ask("afterwards"), "afterwards");
  await held.disposeAsync();
  await world.end();
});
