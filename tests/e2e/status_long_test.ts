import assert from "node:assert/strict";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { withWorkers } from "../support/processes/workers.ts";
import { serverStatus } from "./read_status.ts";

leakTest("the status of a command with workers is that of all of them, page by page", async () => {
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", withWorkers({ serverFlags: ["--server-id=many"] }));
  await using client = await launched.client();
  const open: Conversation[] = [];
  for (let at = 0; at < 6; at++) {
    const conversation = new Conversation(await client.dial(echo.address));
    assert.equal(await conversation.ask(`${at}`), `${at}`);
    open.push(conversation);
  }
  const whole = await serverStatus(launched);
  assert.equal(whole.server.id, "many");
  assert.deepEqual(whole.certificates.map(({ name }) => name), ["cluster"]);
  await assertDocumented(whole);
  const workers = new Set(whole.agents.items.map(({ worker }) => worker));
  assert.deepEqual([...workers], [0, 1]);
  assert.equal(whole.tunnels.total, 6);
  const ids: string[] = [];
  for (let from = 0; from < 6; from += 2) {
    const { tunnels } = await serverStatus(launched, `?tunnels=2&tunnels_from=${from}`);
    assert.deepEqual([tunnels.from, tunnels.matched, tunnels.items.length], [from, 6, 2]);
    ids.push(...tunnels.items.map(({ id }) => id));
  }
  assert.deepEqual(ids, whole.tunnels.items.map(({ id }) => id));
  for (const conversation of open) await conversation.tunnel.close();
});
