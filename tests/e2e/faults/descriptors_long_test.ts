import assert from "node:assert/strict";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";
import { limitFiles, plenty, takeFiles } from "./taken_files.ts";

faultTest("all descriptors of a machine are taken while an agent runs, and given back", async () => {
  await using world = await FaultWorld.start("connect-uds");
  const { launched, echo } = world;
  const { program } = launched.agent;
  await using held = new AsyncDisposableStack();
  const dial = async () => held.use(await held.use(await launched.client()).dial(echo.address));
  const open = new Conversation(await dial());
  await world.goesOn();
  const over = world.excuse("no descriptor is left");
  await takeFiles(program.pid);
  const refusal = await until("a dial is refused", () => dial().then(() => undefined, String));
  assert.match(refusal ?? "", /too many open files/);
  assert.equal(await open.ask("meanwhile"), "meanwhile");
  await limitFiles(program.pid, plenty);
  await until("a dial succeeds", () => dial().then(() => true, () => false));
  over();
  await world.goesOn();
  assert.equal(await open.ask("afterwards"), "afterwards");
  await held.disposeAsync();
  await world.end();
});
