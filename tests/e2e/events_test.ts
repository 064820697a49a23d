import assert from "node:assert/strict";
import { request } from "node:http";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { Launched } from "../support/processes/launched.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { assertDocumented, watchesBoth } from "./watched_programs.ts";

leakTest(
  "grpc-tls: who watches server and agent sees the same dials and ends of tunnels, and who comes and goes",
  () => watchesBoth("grpc-tls"),
);

leakTest("the events of a command with workers are those of all of them, and each says whose it is", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", withWorkers());
  const { adminPort } = launched.server;
  for (const round of ["first", "second"]) {
    // The second finds workers that were told that nobody watches any more.
    using server = await EventReader.open(adminPort, "?type=dial,tunnel-closed");
    using readiness = await EventReader.open(adminPort, "?type=readiness");
    assert.deepEqual([server.events[0]?.["id"], server.events[0]?.["ready"]], ["many", true], round);
    await using client = await launched.client();
    const workers = new Set<unknown>();
    let opened = 0;
    // The system chooses whose each connection is.
    await until("both have had a tunnel", async () => {
      const conversation = new Conversation(await client.dial(echo.address));
      assert.equal(await conversation.ask("x"), "x");
      await conversation.tunnel.close();
      opened++;
      await until("its end is seen", () => server.all("tunnel-closed").length === opened);
      for (const { worker } of server.all("tunnel-closed")) workers.add(worker);
      return workers.size === 2;
    });
    assert.deepEqual([...workers].sort(), [0, 1]);
    for (const closed of server.all("tunnel-closed")) {
      const dial = await server.seen("dial", ({ id }) => id === closed["id"]);
      assert.equal(dial["worker"], closed["worker"]);
    }
    await assertDocumented(server.events);
    assert.deepEqual(readiness.events.map(({ type }) => type), ["hello"]);
    if (round === "first") continue;
    await launched.kill(launched.agent);
    const unready = await readiness.seen("readiness");
    assert.match(String(unready["notReady"]), /^worker \d: no connection to any proxy agent$/);
    launched.server.program.signal("SIGTERM");
    assert.equal(await launched.end(launched.server), 0, launched.logs);
    await until("the watches are over", () => server.end !== "open" && readiness.end !== "open");
    assert.deepEqual([server.end, readiness.end], ["in order", "in order"]);
  }
});

leakTest(
  "requests for events that ask for nothing known, or come from elsewhere, are refused on both ports",
  async () => {
    await using launched = await Launched.start("grpc-uds");
    /** Status of a request, and what it was told. */
    const asked = (port: number, method: string, query: string, host: string) =>
      new Promise<readonly [number | undefined, string]>((resolve, reject) => {
        const options = { host: "127.0.0.1", port, path: `/events${query}`, method, headers: { host }, agent: false };
        request(options, (response) => {
          let text = "";
          response.setEncoding("utf8").on("data", (piece: string) => text += piece);
          response.once("close", () => resolve([response.statusCode, text]));
        }).once("error", reject).end();
      });
    for (const port of [launched.server.adminPort, launched.agent.adminPort]) {
      for (
        const query of ["?types=dial", "?type=hello", "?type=", "?outcome=perhaps", "?destination=a&destination=b"]
      ) {
        const [status, text] = await asked(port, "GET", query, "localhost");
        assert.equal(status, 400, query);
        assert.match(text, /^400 Bad Request: (unknown )?parameter/);
      }
      assert.equal((await asked(port, "POST", "", "localhost"))[0], 405);
      assert.equal((await asked(port, "HEAD", "", "localhost"))[0], 200);
      assert.equal((await asked(port, "GET", "", "rebound.example"))[0], 403);
    }
  },
);
