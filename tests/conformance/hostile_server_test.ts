import assert from "node:assert/strict";
import type { ServerHttp2Stream } from "node:http2";
import { type Destination, echoDestination } from "../support/in_process/destinations.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { type AgentProcess, startAgent } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { hostileActs } from "./hostile_bytes.ts";
import { goodHeaders, RawAgentServer } from "./raw_agent_server.ts";
import { agentFlags } from "./topology.ts";

interface Stage extends AsyncDisposable {
  readonly server: RawAgentServer;
  readonly agent: AgentProcess;
  readonly echo: Destination;
}

let stage: PromiseSettledResult<Stage> | undefined;

Deno.test.beforeAll(async () => {
  [stage] = await Promise.allSettled([start()]);
});

Deno.test.afterAll(async () => {
  if (stage?.status === "fulfilled") await stage.value[Symbol.asyncDispose]();
});

async function start(): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  started.defer(() => Deno.remove(folder, { recursive: true }));
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const echo = started.use(await echoDestination());
  const server = started.use(await RawAgentServer.start(certificates));
  const agent = started.use(await startAgent(agentFlags(certificates, server.port)));
  await agent.ready();
  const owned = started.move();
  return { server, agent, echo, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function onStage(): Stage {
  if (stage?.status === "fulfilled") return stage.value;
  throw stage?.reason ?? new Error("not started");
}

let random = 2n ** 62n;

/** The agent, connected anew if it had to be, carries an exchange. */
async function assertServes({ server, agent, echo }: Stage): Promise<void> {
  const link = await server.link();
  const text = `exchange ${++random}`;
  try {
    assert.equal(await link.exchange(echo.address, random, text), text);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${agent.program.tail()}`, { cause: error });
  }
  assert.equal(agent.program.status, undefined, agent.program.tail());
}

for (const act of hostileActs) {
  leakTest(`[agent 4.4] our agent lives through ${act.name} from its server`, async () => {
    const stage = onStage();
    const link = await stage.server.link();
    const before = `before ${act.name}`;
    assert.equal(await link.exchange(stage.echo.address, ++random, before), before);
    link.sendBytes(act.bytes);
    if (act.then === "end") link.end();
    if (act.then === "reset") link.reset();
    if ((act.breaksCall ?? false) || act.then !== "stay") await until("the agent leaves the link", () => link.ended);
    else await link.exchange(stage.echo.address, ++random, "on the same link").catch(() => assert(link.ended));
    await assertServes(stage);
    await until("the destination has been left", () => stage.echo.open === 0);
  });
}

const answers: Readonly<Record<string, (stream: ServerHttp2Stream) => void>> = {
  "no server id": (stream) => stream.respond({ ...goodHeaders, serverid: undefined }),
  "no server count": (stream) => stream.respond({ ...goodHeaders, servercount: undefined }),
  "a server count that is no number": (stream) => stream.respond({ ...goodHeaders, servercount: "abc" }),
  "two server ids": (stream) => stream.respond({ ...goodHeaders, serverid: ["one", "two"] }),
  "HTTP status 500": (stream) => stream.respond({ ":status": 500 }, { endStream: true }),
  "Unauthenticated": (stream) =>
    stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "16", "grpc-message": "no" }, {
      endStream: true,
    }),
  "a web page": (stream) => {
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end("<html>hello</html>");
  },
  "a reset": (stream) => stream.close(7),
  "the end of the whole connection": (stream) => stream.session?.destroy(),
};

for (const [name, answer] of Object.entries(answers)) {
  leakTest(`[agent 2.6] our agent tries again when it is answered with ${name}`, async () => {
    const stage = onStage();
    const { server } = stage;
    const good = server.answer;
    const link = await server.link();
    const calls = server.links.length;
    server.answer = answer;
    link.reset();
    try {
      await until("the agent has called again", () => server.links.length > calls);
      await until("and once more", () => server.links.length > calls + 1);
    } finally {
      server.answer = good;
    }
    await until("the agent is served", async () => {
      const link = await server.link();
      return await link.exchange(stage.echo.address, ++random, "hello").catch(() => "") === "hello";
    });
    assert.equal(stage.agent.program.status, undefined, stage.agent.program.tail());
  });
}
