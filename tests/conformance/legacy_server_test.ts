import assert from "node:assert/strict";
import { type AgentProcess, startAgent } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { FakePeer } from "./fake_peers.ts";
import { goTest, hasGo, scenariosOf } from "./go_peers.ts";
import { agentFlags } from "./topology.ts";

/** Scenarios of go/fakeserver, in an order in which one agent process lives through all of them; the last ends it. */
const claims: Readonly<Record<string, string>> = {
  "echo": "[agent 4.4] carries an exchange and answers CLOSE_REQ",
  "speaks-first": "[agent 4.5] sends DIAL_RSP before the first DATA of a destination that speaks first",
  "download": "[agent 4.6] delivers 5 MiB in order, then CLOSE_RSP",
  "upload": "[agent 4.6] delivers 5 MiB to a destination, in order",
  "parallel": "[agent 4.4] carries 50 connections at once without mixing them up",
  "refused": "[agent 4.5] reports a refused dial in the original's words, with the dial's 63-bit random",
  "close-with-queued-bytes": "[agent 4.7] delivers every byte that came before CLOSE_REQ to a slow destination",
  "dial-cancelled": "[pains a-4] stops a dial that is taken back while it hangs",
  "dial-cancelled-at-once": "[pains a-4] leaves no connection behind when DIAL_CLS races the dial",
  "unknown-ids": "[agent 4.4] answers DATA and CLOSE_REQ of connections that it does not know",
  "odd-packets": "[agent 4.4] lives through packets that no server sends, and a connection beside them works on",
  "drain": "[agent 5] sends DRAIN on SIGTERM, serves the open connection to its end, and then leaves with code 0",
};

interface Stage extends AsyncDisposable {
  readonly server: FakePeer;
  readonly agent: AgentProcess;
}

let stage: PromiseSettledResult<Stage> | undefined;

if (hasGo) {
  Deno.test.beforeAll(async () => {
    [stage] = await Promise.allSettled([start()]);
  });
  Deno.test.afterAll(async () => {
    if (stage?.status === "fulfilled") await stage.value[Symbol.asyncDispose]();
  });
}

async function start(): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  started.defer(() => Deno.remove(folder, { recursive: true }));
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const server = started.use(
    await FakePeer.start("fakeserver", [
      `--ca=${certificates.caCert}`,
      `--cert=${certificates.serverCert}`,
      `--key=${certificates.serverKey}`,
    ]),
  );
  const { port } = await server.event("the fake server listens", ({ event }) => event === "listening");
  assert(port !== undefined);
  const agent = started.use(
    await startAgent([
      ...agentFlags(certificates, port),
      "--agent-id=agent-under-test",
      "--agent-identifiers=host=node1.example&ipv4=10.1.2.3",
    ]),
  );
  await agent.ready();
  const owned = started.move();
  return { server, agent, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function onStage(): Stage {
  if (stage?.status === "fulfilled") return stage.value;
  throw stage?.reason ?? new Error("not started");
}

goTest("[agent 2.4] our agent tells a server of the original who it is", async () => {
  const { server } = onStage();
  const { metadata } = await server.event("the agent connects", ({ event }) => event === "connected");
  assert.deepEqual(metadata?.["agentid"], ["agent-under-test"]);
  assert.deepEqual(metadata?.["agentidentifiers"], ["host=node1.example&ipv4=10.1.2.3"]);
  assert.equal(metadata?.["authorization"], undefined);
});

for (const [scenario, claim] of Object.entries(claims)) {
  if (scenario === "drain") continue;
  goTest(claim.replace(/^(\[.*?\] )?/, "$1with a server of the original, our agent "), async () => {
    const { server, agent } = onStage();
    const result = await server.run(scenario);
    if (!result.ok) assert.fail(`${scenario}: ${result.detail}\n${agent.program.tail()}`);
  });
}

goTest("one link carried all of it", () => {
  const { server } = onStage();
  assert.deepEqual(server.events.map(({ event }) => event), ["listening", "connected"]);
  return Promise.resolve();
});

goTest(claims["drain"]?.replace(/^(\[.*?\] )?/, "$1with a server of the original, our agent ") ?? "", async () => {
  const { server, agent } = onStage();
  const result = server.run("drain");
  const open = server.event("a connection is open", ({ event }) => event === "ready to drain");
  // Who waits no longer must not hear of it: the scenario may fail before a connection is open.
  open.catch(() => {});
  await Promise.race([open, result]);
  const stopped = agent.program.stop();
  const { ok, detail } = await result;
  if (!ok) assert.fail(`drain: ${detail}\n${agent.program.tail()}`);
  assert.deepEqual(await stopped, { code: 0, signal: null, signals: 1 });
});

goTest("every scenario of the fake server is run", async () => {
  assert.deepEqual(await scenariosOf("fakeserver"), Object.keys(claims));
});
