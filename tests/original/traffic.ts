import { PacketType } from "../../gen/client/client_pb.ts";
import { dialRequest, RawCall } from "../conformance/raw_grpc.ts";
import { type Listener, sendConnect } from "../conformance/raw_connect.ts";
import { echoDestination, refusingAddress } from "../support/in_process/destinations.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { type AgentProcess, httpGet, type Program, startAgent, startServer } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/** What clients of the server speak; both over a Unix socket. */
export type Mode = "grpc" | "http-connect";

/** The series of a program by name and labels, histograms by their number of observations alone. */
export type Series = Readonly<Record<string, number>>;

/** What both programs showed once something had happened; no agent's series where there was no agent. */
export interface Shown {
  readonly server: Series;
  readonly agent?: Series;
}

/** What happens, in this order. */
export const steps = [
  "server started",
  "agent connected",
  "second agent connected",
  "dial",
  "failed dial",
  "client hung up",
  "agents killed",
  "dial without an agent",
] as const;

export type Step = typeof steps[number];

/** The command lines of the programs, before their flags; absent: ours. */
export interface Commands {
  readonly server?: readonly string[];
  readonly agent?: readonly string[];
}

/**
 * Runs a server and agents as processes, has traffic go through them, and calls `seen` after each step with a function
 * that scrapes both.
 * @param strategies of the server
 */
export async function metered(
  mode: Mode,
  strategies: string,
  commands: Commands,
  seen: (step: Step, scrape: () => Promise<Shown>) => Promise<void>,
): Promise<void> {
  await using undo = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  undo.defer(() => Deno.remove(folder, { recursive: true }));
  const certificates = await writeTestCertificates(folder, await testCertificates());
  const echo = undo.use(await echoDestination());
  const uds = `${folder}/frontend.sock`;
  const server = await startServer(
    [
      `--mode=${mode}`,
      "--server-port=0",
      `--uds-name=${uds}`,
      `--cluster-ca-cert=${certificates.caCert}`,
      `--cluster-cert=${certificates.serverCert}`,
      `--cluster-key=${certificates.serverKey}`,
      `--proxy-strategies=${strategies}`,
    ],
    {},
    commands.server,
  );
  undo.defer(() => kill(server.program));
  const frontend: Listener = { uds, port: 0, certificates };
  const agents: AgentProcess[] = [];
  const connectAgent = async (identifiers: string) => {
    const agent = await startAgent(
      [
        `--ca-cert=${certificates.caCert}`,
        `--agent-cert=${certificates.clientCert}`,
        `--agent-key=${certificates.clientKey}`,
        "--proxy-server-host=127.0.0.1",
        `--proxy-server-port=${server.agentPort}`,
        `--agent-identifiers=${identifiers}`,
      ],
      {},
      commands.agent,
    );
    undo.defer(() => kill(agent.program));
    agents.push(agent);
    await agent.ready();
  };
  const scrape = async (): Promise<Shown> => {
    const [agent] = agents;
    const shown = { server: seriesOf((await httpGet(server.healthPort, "/metrics")).body) };
    return agent === undefined
      ? shown
      : { ...shown, agent: seriesOf((await httpGet(agent.healthPort, "/metrics")).body) };
  };
  const client = mode === "grpc" ? grpcClient(frontend) : connectClient(frontend);

  await seen("server started", scrape);
  await connectAgent("ipv4=127.0.0.1&ipv4=127.0.0.2&host=localhost");
  await seen("agent connected", scrape);
  // The second agent stands for no destination, so that every dial goes through the first.
  if (strategies === "destHost") await connectAgent("");
  await seen("second agent connected", scrape);
  await client.exchange(echo.address, "close");
  await seen("dial", scrape);
  await client.fail(await refusingAddress());
  await seen("failed dial", scrape);
  await client.exchange(echo.address, "vanish");
  await seen("client hung up", scrape);
  for (const agent of agents.splice(0)) await kill(agent.program);
  await until("the server knows no agent", async () => (await httpGet(server.healthPort, "/readyz")).status === 500);
  await seen("agents killed", scrape);
  await client.fail(echo.address);
  await seen("dial without an agent", scrape);
}

/** How a client ends a tunnel: in order, or by leaving. */
type Ending = "close" | "vanish";

interface Client {
  exchange(address: string, ending: Ending): Promise<void>;
  fail(address: string): Promise<void>;
}

function grpcClient(frontend: Listener): Client {
  return {
    async exchange(address, ending) {
      await using call = await RawCall.open(frontend);
      const id = await call.dial(address);
      await call.exchange(id, "ping");
      if (ending === "close") {
        call.send({ type: PacketType.CLOSE_REQ, payload: { case: "closeRequest", value: { connectID: id } } });
        await call.next(PacketType.CLOSE_RSP);
        call.end();
        await call.ended;
      }
    },
    async fail(address) {
      await using call = await RawCall.open(frontend);
      call.send(dialRequest(address, 1n));
      await call.next(PacketType.DIAL_RSP);
      call.end();
      await call.ended;
    },
  };
}

function connectClient(frontend: Listener): Client {
  return {
    async exchange(address, ending) {
      await using socket = await sendConnect(frontend, address);
      await until("the answer comes", () => socket.text.includes("\r\n\r\n"));
      await socket.take(socket.text.indexOf("\r\n\r\n") + 4);
      socket.write("ping");
      await socket.take(4);
      if (ending === "close") {
        socket.end();
        await socket.rest();
      }
    },
    async fail(address) {
      await using socket = await sendConnect(frontend, address);
      await socket.rest();
    },
  };
}

async function kill(program: Program): Promise<void> {
  program.signal("SIGKILL");
  await program.ended;
  await program.stop();
}

/** What a text of metrics shows of this project's names and of the process. */
export function seriesOf(text: string): Series {
  const series: Record<string, number> = {};
  for (const line of text.split("\n")) {
    if (
      !/^(konnectivity_|process_)/.test(line) ||
      /_bucket\{|_sum(\{|\s)|(server|agent)_memory_bytes|_event_loop_/.test(line)
    ) {
      continue;
    }
    const space = line.lastIndexOf(" ");
    series[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return Object.fromEntries(Object.entries(series).toSorted(([one], [two]) => one < two ? -1 : 1));
}

/** Scrapes until nothing has changed for half a second; for a recording, which is looked at before it is kept. */
export async function settled(scrape: () => Promise<Shown>): Promise<Shown> {
  let before = "";
  let equal = 0;
  for (;;) {
    const shown = await scrape();
    const now = JSON.stringify(shown, (key, value) => key.startsWith("process_") ? undefined : value);
    equal = now === before ? equal + 1 : 0;
    if (equal === 5) return shown;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
