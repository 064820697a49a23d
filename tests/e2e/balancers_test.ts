import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type ProxyClient } from "../../src/client/mod.ts";
import { issueLeaf } from "../../src/programs/certs/issue.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { type Destination, echoDestination, patternBytes } from "../support/in_process/destinations.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { Balancer, balancerKinds, configurationOf, whyNoBalancers } from "../support/processes/balancers.ts";
import { metric } from "../support/processes/fleet.ts";
import { freePort } from "../support/processes/free_port.ts";
import { type AgentProcess, type ServerProcess, startAgent, startServer } from "../support/processes/processes.ts";

/** The document's minute for what is idle, in seconds here. */
const idleSeconds = 3;
/** As far below it as the default of ten seconds is. */
const keepalive = "--keepalive-time=500ms";
/** The document's hour. */
const maxLinkAge = "--max-link-age=2s";

const serverAddresses = ["127.0.0.2", "127.0.0.3"];
const name = "konnectivity.example.com";

/** An agent behind a balancer. */
interface Way {
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
class World implements AsyncDisposable {
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
interface Tunnels extends AsyncDisposable {
  /** Sends something to the echo over each, and waits for it to come back. */
  ask(text: string): Promise<void>;
  /** Waits until each has ended. */
  ends(): Promise<void>;
}

/** Each way with each server that runs. */
function* pairs({ ways, seats, clients }: World): IterableIterator<{ title: string; way: Way; client: ProxyClient }> {
  for (const way of ways) {
    for (const [at, { id, process }] of seats.entries()) {
      const client = clients[at];
      if (client !== undefined && process !== undefined) yield { title: `${way.title}, ${id}`, way, client };
    }
  }
}

/** Sends 3 MB to the echo through a tunnel while reading them. */
async function transfer(client: ProxyClient, address: string): Promise<void> {
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
class SteadyDials implements AsyncDisposable {
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

async function run(t: Deno.TestContext): Promise<void> {
  await using echo: Destination = await echoDestination("0.0.0.0");
  await using world = await World.open();
  const at = ({ host }: Way) => `${host}:${echo.port}`;
  /** What follows a step builds on it. */
  const step = async (title: string, body: () => Promise<void>) => {
    if (!await t.step(title, body)) throw new Error(`"${title}" failed\n${world.logs}`);
  };
  /** A tunnel over each way to each server, over which something was said. */
  const openAll = async (): Promise<Tunnels> => {
    await using opened = new AsyncDisposableStack();
    const all = await Promise.all([...pairs(world)].map(async ({ title, way, client }) => {
      const conversation = new Conversation(opened.use(await client.dial(at(way))));
      assert.equal(await conversation.ask("hello"), "hello", title);
      return { title, conversation };
    }));
    const disposal = opened.move();
    return {
      ask: async (text) => {
        await Promise.all(all.map(async ({ title, conversation }) => {
          assert.equal(await conversation.ask(text), text, title);
        }));
      },
      ends: async () => {
        let ended = 0;
        for (const { conversation } of all) void conversation.end().then(() => ended++);
        await until("every tunnel has ended", () => ended === all.length, 60_000);
      },
      [Symbol.asyncDispose]: () => disposal.disposeAsync(),
    };
  };

  await step("agents find both servers behind one address, and take the kind of link that passes", async () => {
    await world.linked(2);
    for (const { title, kind, agent } of world.ways) {
      for (const { id } of world.seats) {
        assert.match(agent.program.log, new RegExp(`connected to server ${id} at .* link="${kind}"`), title);
      }
    }
  });

  await step("3 MB pass each way", async () => {
    const [client] = world.clients;
    assert.ok(client !== undefined);
    for (const way of world.ways) {
      await transfer(client, at(way)).catch((error) => assert.fail(`${way.title}: ${error}`));
    }
  });

  await step("tunnels outlive a silence that is longer than the balancers' time-outs", async () => {
    await using tunnels = await openAll();
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1_500));
    await tunnels.ask("still here");
    for (const { title, agent } of world.ways) assert.doesNotMatch(agent.program.log, /lost server/, title);
  });

  await step(
    "a reload costs no dial, and with their last tunnel links have left the balancer's old processes",
    async () => {
      await using dialling = new AsyncDisposableStack();
      const dials = [...pairs(world)].map(({ title, way, client }) =>
        dialling.use(new SteadyDials(title, client, at(way)))
      );
      const old = await Promise.all(world.balancers.map((balancer) => balancer.workers()));
      /** Balancers whose connections are, or are not yet, those of other processes alone. */
      const withOld = async () => {
        const now = await Promise.all(world.balancers.map((balancer) => balancer.workers()));
        return world.balancers.filter((_, at) => old[at]?.some((pid) => now[at]?.includes(pid))).map(({ kind }) =>
          kind
        );
      };
      {
        await using tunnels = await openAll();
        for (const balancer of world.balancers) balancer.reload();
        // By then the reload is over.
        await until("every way serves dials", () => dials.every(({ served }) => served >= 10));
        await tunnels.ask("go on");
        assert.deepEqual(await withOld(), [...balancerKinds], "tunnels keep the old processes");
      }
      let left: string[] = [];
      await until("the old processes end by themselves", async () => (left = await withOld()).length === 0, 60_000)
        .catch((error) => assert.fail(`${error}: ${left.join()}`));
      await dialling.disposeAsync();
      assert.deepEqual(dials.flatMap(({ failures }) => failures), []);
      await world.linked(2);
    },
  );

  await step("balancers are killed and come back, and agents link anew", async () => {
    await using tunnels = await openAll();
    await Promise.all(world.balancers.map((balancer) => balancer.kill()));
    await tunnels.ends();
    await world.linked(0);
    await Promise.all(world.balancers.map((balancer) => balancer.restart()));
    await world.linked(2);
    await using _others = await openAll();
  });

  await step("one of two servers is dead, and comes back", async () => {
    const [, second] = world.seats;
    assert.ok(second !== undefined);
    await second.kill();
    await world.linked(1);
    {
      await using _tunnels = await openAll();
    }
    await second.start();
    await world.linked(2);
    await using _tunnels = await openAll();
  });

  await until("every tunnel's end reaches the destination", () => echo.open === 0);
}

Deno.test("docs/balancers.md has one configuration for each balancer, with what is replaced here", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/balancers.md", import.meta.url));
  const servers = ["a:1", "b:2"].map((address, at) => ({ address, healthPort: 3 + at }));
  const place = { folder: "/folder", certificates: "/certificates", port: 9, servers, idle: "7s" };
  for (const kind of balancerKinds) {
    const configuration = configurationOf(text, kind, place);
    assert.match(configuration, /127\.0\.0\.1:9\b/);
    assert.doesNotMatch(configuration, /10\.0\.0|8091|8092|\b60s|\/etc|\/var/);
    assert.throws(() => configurationOf(text.replaceAll("60s", "50s"), kind, place), /has no 60s for/);
    assert.throws(() => configurationOf(text.replace(`## ${kind}`, "## other"), kind, place), /no configuration/);
  }
});

const title = "links of both kinds live behind nginx and HAProxy as docs/balancers.md configures them";
const why = await whyNoBalancers();
if (why === undefined) leakTest(title, run);
else if (Deno.env.get("CI") === "true") Deno.test(title, () => Promise.reject(new Error(why)));
else Deno.test.ignore(`${title} (skipped: ${why})`, () => {});
