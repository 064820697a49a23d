import assert from "node:assert/strict";
import { ProxyError, type Tunnel } from "../../src/client/mod.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet, type ServerProcess } from "../support/processes/processes.ts";

/** The value of a server's metric, 0 for one that there is not. */
async function metric(server: ServerProcess, name: string): Promise<number> {
  const { body } = await httpGet(server.healthPort, "/metrics");
  const line = body.split("\n").find((each) => each.startsWith(`konnectivity_network_proxy_server_${name} `));
  return Number(line?.split(" ").at(-1) ?? 0);
}

/** A dial that waits for its agent. An array of one, since what awaits a promise awaits all that it is of. */
async function pendingDial(launched: Launched, dial: () => Promise<Tunnel>): Promise<[Promise<Tunnel>]> {
  // An agent that is stopped answers no dial.
  launched.agent.program.signal("SIGSTOP");
  const pending = dial();
  pending.catch(() => {});
  await until("the dial is pending", async () => await metric(launched.server, "pending_backend_dials") === 1);
  return [pending];
}

/** A server that is killed leaves no client waiting, and its agent joins the one that follows. */
export async function killsServer(kind: FrontendKind): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind);
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  const [pending] = await pendingDial(launched, () => client.dial(echo.address));
  await launched.kill(launched.server);
  await open.end();
  await assert.rejects(pending, ProxyError);
  launched.agent.program.signal("SIGCONT");
  await until("the agent knows", async () => (await httpGet(launched.agent.healthPort, "/readyz")).status !== 200);
  await until("the destination is left", () => echo.open === 0);
  // Over a Unix socket this finds the file that the killed server left.
  await launched.startServer();
  await launched.ready();
  await using again = await client.dial(echo.address);
  assert.equal(await new Conversation(again).ask("hello again"), "hello again");
}

/** An agent that is killed fails pending dials with the reason, ends its tunnels, and /readyz says so. */
export async function killsAgent(kind: FrontendKind): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind);
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("hello"), "hello");
  const [pending] = await pendingDial(launched, () => client.dial(echo.address));
  await launched.kill(launched.agent);
  const failure = await pending.then(() => assert.fail("it was dialled"), (error: unknown) => error);
  assert.ok(failure instanceof ProxyError, String(failure));
  assert.match(failure.message, /agent/, "the reason is told");
  await open.end();
  const { status, body } = await httpGet(launched.server.healthPort, "/readyz");
  assert.equal(status, 500, body);
  assert.equal(await metric(launched.server, "pending_backend_dials"), 0);
  await assert.rejects(client.dial(echo.address), { code: "no-agent" });
  await launched.startAgent();
  await launched.ready();
  await using again = await client.dial(echo.address);
  assert.equal(await new Conversation(again).ask("hello again"), "hello again");
}

/** SIGTERM with open tunnels refuses new ones, lets these finish, and ends with 0. */
export async function drainsServer(kind: FrontendKind): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start(kind, { serverFlags: ["--graceful-shutdown-timeout=1h"] });
  await using client = await launched.client();
  const open = new Conversation(await client.dial(echo.address));
  assert.equal(await open.ask("before"), "before");
  launched.server.program.signal("SIGTERM");
  await until("it is not ready", async () => (await httpGet(launched.server.healthPort, "/readyz")).status !== 200);
  await assert.rejects(client.dial(echo.address), ProxyError);
  assert.equal(await open.ask("after"), "after");
  assert.equal(launched.server.program.status, undefined, launched.logs);
  await open.tunnel.close();
  assert.equal(await launched.end(launched.server), 0, launched.logs);
}
