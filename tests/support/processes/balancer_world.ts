import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type ProxyClient } from "../../../src/client/mod.ts";
import { issueLeaf } from "../../../src/programs/certs/issue.ts";
import { until } from "../assert/until.ts";
import { Conversation } from "../in_process/conversation.ts";
import { patternBytes } from "../in_process/destinations.ts";
import { testCertificates, writeTestCertificates } from "../in_process/test_certificates.ts";
import { Balancer, balancerKinds } from "./balancers.ts";
import { metric } from "./fleet.ts";
import { freePort } from "./free_port.ts";
import { type AgentProcess, type ServerProcess, startAgent, startServer } from "./processes.ts";

/** The document's minute for what is idle, in seconds here. */
export const idleSeconds = 3;
/** As far below it as the default of ten seconds is. */
const keepalive = "--keepalive-time=500ms";
/** The document's hour. */
const maxLinkAge = "--max-link-age=2s";

const serverAddresses = ["127.0.0.2", "127.0.0.3"];
const name = "konnectivity.example.com";

/** An agent behind a balancer. */
export interface Way {
  readonly title: string;
  readonly kind: "direct" | "grpc";
  readonly balancer: Balancer;
  readonly agent: AgentProcess;
  /** The address of this machine that is reached through this agent alone. */
  readonly host: string;
}

/** A place for a server, which keeps its ports. */
class Seat {
  readonly id: string;
  readonly uds: string;
  readonly #flags: readonly string[];
  process: ServerProcess | undefined;

  constructor(id: string, uds: string, flags: readonly string[]) {
    this.id = id;
    this.uds = uds;
    this.#flags = [`--server-id=${id}`, `--uds-name=${uds}`, ...flags];
  }

  async start(): Promise<void> {
    this.process = await startServer(this.#flags);
  }

  async kill(): Promise<void> {
    const { process } = this;
    assert.ok(process !== undefined);
    process.program.signal("SIGKILL");
    await process.program.ended;
    await process.stop();
    this.process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process?.[Symbol.asyncDispose]();
  }
}

/** Two servers, each balancer before both, and agents: one for each kind of link that a balancer lets pass. */
export class World implements AsyncDisposable {
  readonly seats: Seat[] = [];
  readonly balancers: Balancer[] = [];
  readonly ways: Way[] = [];
  readonly clients: ProxyClient[] = [];
  readonly #disposal = new AsyncDisposableStack();

  static async open(): Promise<World> {
    const world = new World();
    try {
      await world.#start();
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  async #start(): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-balancers-" });
    this.#disposal.defer(() => Deno.remove(folder, { recursive: true }));
    const certificates = await testCertificates();
    const issue = (commonName: string, usages: readonly ("server" | "client")[]) =>
      issueLeaf(certificates.ca, { commonName, usages, names: [name], addresses: ["127.0.0.1"], keyKind: "p-256" });
    const server = await issue("server", ["server"]);
    const balancer = await issue("balancer", ["server", "client"]);
    const files = await writeTestCertificates(folder, { ...certificates, server });
    await Deno.writeTextFile(`${folder}/balancer.crt`, balancer.certPem);
    await Deno.writeTextFile(`${folder}/balancer.key`, balancer.keyPem);
    await Deno.writeTextFile(`${folder}/balancer.pem`, balancer.certPem + balancer.keyPem);
    const agentPort = await freePort();
    const places: { address: string; healthPort: number }[] = [];
    for (const address of serverAddresses) {
      const healthPort = await freePort();
      places.push({ address: `${address}:${agentPort}`, healthPort });
      const id = `server-${places.length}`;
      const seat = this.#disposal.use(
        new Seat(id, `${folder}/${id}.sock`, [
          "--server-port=0",
          `--agent-bind-address=${address}`,
          `--agent-port=${agentPort}`,
          "--health-bind-address=0.0.0.0",
          `--health-port=${healthPort}`,
          `--cluster-ca-cert=${files.caCert}`,
          `--cluster-cert=${files.serverCert}`,
          `--cluster-key=${files.serverKey}`,
          `--server-count=${serverAddresses.length}`,
          "--proxy-strategies=destHost",
          keepalive,
        ]),
      );
      this.seats.push(seat);
    }
    await Promise.all(this.seats.map((seat) => seat.start()));
    for (const kind of balancerKinds) {
      const own = `${folder}/${kind.replace(", ", "-")}`;
      await Deno.mkdir(own);
      const place = {
        folder: own,
        certificates: folder,
        port: await freePort(),
        servers: places,
        idle: `${idleSeconds}s`,
      };
      this.balancers.push(this.#disposal.use(await Balancer.start(kind, place)));
    }
    const plans = this.balancers.flatMap((balancer) =>
      balancer.kind.endsWith("http")
        // They are offered a direct link.
        ? [{ balancer, kind: "grpc" as const, flags: [] }]
        : [
          { balancer, kind: "direct" as const, flags: [maxLinkAge] },
          { balancer, kind: "grpc" as const, flags: [maxLinkAge, "--link-protocol=grpc"] },
        ]
    );
    const starting = plans.map(async ({ balancer, kind, flags }, at): Promise<Way> => {
      const host = `127.0.1.${at + 1}`;
      const agent = await startAgent([
        `--agent-id=agent-${at + 1}`,
        `--agent-identifiers=ipv4=${host}`,
        `--ca-cert=${files.caCert}`,
        `--agent-cert=${files.clientCert}`,
        `--agent-key=${files.clientKey}`,
        "--proxy-server-host=127.0.0.1",
        `--proxy-server-port=${balancer.port}`,
        "--sync-interval=200ms",
        "--sync-interval-cap=1s",
        ...flags,
      ]);
      this.#disposal.use(agent);
      return { title: `${kind} link through ${balancer.kind}`, kind, balancer, agent, host };
    });
    this.ways.push(...await Promise.all(starting));
    for (const { uds } of this.seats) {
      this.clients.push(this.#disposal.use(await connect({ mode: "grpc", transport: "unix", path: uds })));
    }
  }

  /** Waits until every agent is linked to so many servers, by its own word and by the servers'. */
  async linked(count: number): Promise<void> {
    let seen = "";
    await until(`every agent has ${count} links`, async () => {
      const links = await Promise.all(
        this.ways.map(({ agent }) => metric(agent.healthPort, "agent_open_server_connections")),
      );
      const backends = await Promise.all(
        this.seats.map(({ process }) =>
          process === undefined ? Infinity : metric(process.healthPort, "server_ready_backend_connections")
        ),
      );
      seen = `${links.join()} links, ${backends.join()} agents`;
      return links.every((each) => each === count) && backends.every((each) => count === 0 || each >= this.ways.length);
    }, 60_000).catch((error) => assert.fail(`${error}: ${seen}\n${this.logs}`));
  }

  get logs(): string {
    return [
      ...this.ways.map(({ title, agent }) => `${title}: ${agent.program.tail(10)}`),
      ...this.balancers.map(({ log }) => log),
      ...this.seats.map(({ process }) => process?.program.tail(10) ?? ""),
    ].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each takes two seconds to see that nothing comes any more.
    await Promise.all(this.ways.map(({ agent }) => agent.stop()));
    await this.#disposal.disposeAsync();
  }
}

/** Tunnels that stay open. */
export interface Tunnels extends AsyncDisposable {
  /** Sends something to the echo over each, and waits for it to come back. */
  ask(text: string): Promise<void>;
  /** Waits until each has ended. */
  ends(): Promise<void>;
}

/** Each way with each server that runs. */
export function* pairs(
  { ways, seats, clients }: World,
): IterableIterator<{ title: string; way: Way; client: ProxyClient }> {
  for (const way of ways) {
    for (const [at, { id, process }] of seats.entries()) {
      const client = clients[at];
      if (client !== undefined && process !== undefined) yield { title: `${way.title}, ${id}`, way, client };
    }
  }
}

/** Sends 3 MB to the echo through a tunnel while reading them. */
export async function transfer(client: ProxyClient, address: string): Promise<void> {
  await using tunnel = await client.dial(address);
  const sent = patternBytes(3_000_000);
  const writer = tunnel.writable.getWriter();
  const writing = writer.write(sent);
  const received: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of tunnel.readable) {
    received.push(piece);
    bytes += piece.length;
    if (bytes >= sent.length) break;
  }
  await writing;
  assert.ok(Buffer.concat(received).equals(sent));
}

/** Dials again and again, one after the other, and speaks to the echo each time. */
export class SteadyDials implements AsyncDisposable {
  served = 0;
  readonly failures: string[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(title: string, client: ProxyClient, address: string) {
    this.#running = this.#run(title, client, address);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(title: string, client: ProxyClient, address: string): Promise<void> {
    while (!this.#stopped) {
      try {
        await using tunnel = await client.dial(address);
        assert.equal(await new Conversation(tunnel).ask("x"), "x");
        this.served++;
      } catch (error) {
        this.failures.push(`${title}: ${error}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
