/** Probes of destinations through the tunnel, with real processes on all sides. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { blackHole } from "../support/fakes/black_hole.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { metrics, readiness, withWorkers, workers } from "../support/processes/workers.ts";

/** Something to probe that goes away and comes back at the same address. */
class MortalDestination implements AsyncDisposable {
  readonly address: string;
  readonly #port: number;
  readonly #sockets = new Set<Socket>();
  #server: ReturnType<typeof createServer> | undefined;
  accepted = 0;
  /** Bytes that anybody sent. */
  received = 0;

  private constructor(port: number) {
    this.#port = port;
    this.address = `127.0.0.1:${port}`;
  }

  static async start(): Promise<MortalDestination> {
    const destination = new MortalDestination(await freePort());
    await destination.rise();
    return destination;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  async rise(): Promise<void> {
    // Whoever has taken the port meanwhile gives it back.
    await until("the port is free", () => this.#listen());
  }

  async die(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.die();
  }

  #listen(): Promise<boolean> {
    return new Promise((resolve) => {
      const server = createServer((socket) => {
        this.accepted++;
        this.#sockets.add(socket);
        socket.on("error", () => {}).on("close", () => this.#sockets.delete(socket));
        socket.on("data", ({ length }) => this.received += length);
      });
      server.once("error", () => resolve(false));
      server.listen(this.#port, "127.0.0.1", () => {
        this.#server = server;
        resolve(true);
      });
    });
  }
}

async function statusOf({ server }: Launched): Promise<ServerStatus> {
  const { status, body } = await httpGet(server.adminPort, "/status");
  assert.equal(status, 200, body);
  return JSON.parse(body) as ServerStatus;
}

async function verbose({ server }: Launched): Promise<string> {
  return (await httpGet(server.healthPort, "/readyz?verbose")).body;
}

for (const kind of ["grpc-tls", "connect-uds"] as const) {
  leakTest(
    `${kind}: a destination that goes away and comes back is seen in readiness, metrics, status and audit log`,
    async () => {
      await using destination = await MortalDestination.start();
      const { address } = destination;
      await using launched = await Launched.start(kind, {
        serverFlags: [
          `--probe-destination=${address}`,
          "--probe-interval=1s",
          "--probe-readiness",
          "--audit-log=-",
        ],
        agentFlags: ["--agent-id=probed"],
      });
      const of = `{destination="${address}"}`;
      await until(
        "some probes have succeeded",
        async () => ((await metrics(launched)).get(`probe_duration_seconds_count${of}`) ?? 0) >= 2,
      );
      await until("the last one has, too", async () => (await metrics(launched)).get(`probe_success${of}`) === 1);
      await until("the checks say so", async () =>
        await verbose(launched) ===
          `[+]shutdown ok\n[+]agent-connected ok\n[+]descriptors ok\n[+]probes ok\n[+]probe/${address} ok\ncheck passed\n`);

      await destination.die();
      await until(
        "the server is not ready",
        async () => await readiness(launched) === "no probe reaches its destination",
      );
      assert.equal((await httpGet(launched.server.healthPort, "/readyz?verbose")).status, 500);
      // On a busy machine some of them may fail by their timeout.
      const refused = `probe_failures_total{destination="${address}",reason="error_response"}`;
      await until(
        "the destination has refused some",
        async () => ((await metrics(launched)).get(refused) ?? 0) >= 2,
      );
      let failing = await statusOf(launched);
      await until("the status says why", async () => {
        failing = await statusOf(launched);
        return failing.probes[0]?.lastFailure?.reason === "error_response";
      });
      await until(
        "the checks say why",
        async () =>
          /\n\[-\]probe\/127\.0\.0\.1:\d+ failed \(does not count by itself\): the agent could not connect\n/
            .test(await verbose(launched)),
      );
      assert.match(await verbose(launched), /\n\[-\]probes failed: no probe reaches its destination\n/);
      const [down] = failing.probes;
      assert.deepEqual([failing.ready, failing.notReady], [false, "no probe reaches its destination"]);
      assert.deepEqual([down?.destination, down?.success, down?.reachable], [address, false, false]);
      assert.ok((down?.consecutiveFailures ?? 0) >= 3);
      assert.match(down?.lastFailure?.message ?? "", /refused/);
      assert.equal(down?.lastFailure?.agent, "probed");
      assert.ok((down?.lastSuccess?.seconds ?? -1) >= 0);
      await assertDocumented(failing);
      assert.deepEqual(failing.failures, [], "they push no client's failure out of the list");
      assert.equal((await metrics(launched)).get(`probe_success${of}`), 0);

      await destination.rise();
      await until("it is ready again", async () => await readiness(launched) === "ok");
      const counted = await metrics(launched);
      assert.equal(counted.get("dial_duration_seconds_count"), 0, "no client has dialled");
      assert.equal(counted.get("connection_duration_seconds_count"), 0);
      assert.equal(counted.get('dial_failure_count{reason="error_response"}'), 0);
      assert.equal(destination.received, 0, "nothing is sent");
      await until(
        "a line of the audit log names the probe",
        () => launched.server.program.log.includes(`"client":{"frontend":"probe","name":"probe","address":"probe"}`),
      );
      assert.match(launched.server.program.log, /probes of 127\.0\.0\.1:\d+ succeed/);
      assert.match(launched.server.program.log, /probes of 127\.0\.0\.1:\d+ fail: .*refused/);
    },
  );
}

leakTest(
  "an agent that goes fails the probes, and the next one has them tried at once, however long the interval",
  async () => {
    await using destination = await MortalDestination.start();
    const { address } = destination;
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: [`--probe-destination=${address}`, "--probe-interval=1h", "--probe-readiness"],
    });
    assert.equal(destination.accepted, 1, "ready means that the first probe has succeeded");
    await until("its tunnel is closed", () => destination.open === 0);
    await launched.kill(launched.agent);
    await until("the agent is missed", async () => await readiness(launched) === "no connection to any proxy agent");
    assert.match(await verbose(launched), /^\[\+\]shutdown ok\n\[-\]agent-connected failed: no connection/);

    // A new server begins without a success, whatever the one before knew.
    await destination.die();
    await launched.kill(launched.server);
    await launched.startServer();
    await launched.startAgent();
    await launched.agent.ready();
    await until(
      "the first probe has failed",
      async () => await readiness(launched) === "no probe reaches its destination",
    );
    await destination.rise();
    await launched.kill(launched.agent);
    await launched.startAgent();
    await launched.ready();
    const [probe] = (await statusOf(launched)).probes;
    assert.deepEqual([probe?.success, probe?.consecutiveFailures], [true, 0]);
  },
);

leakTest("an agent that is asked to end does, however often the server probes", async () => {
  await using destination = await MortalDestination.start();
  await using launched = await Launched.start("grpc-uds", {
    serverFlags: [`--probe-destination=${destination.address}`, "--probe-interval=100ms", "--probe-readiness"],
  });
  await until("probes follow each other", () => destination.accepted > 3);
  launched.agent.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.agent), 0, launched.logs);
});

leakTest("every worker probes, and the command's checks, metrics and status are those of all", async () => {
  await using destination = await MortalDestination.start();
  const { address } = destination;
  await using launched = await Launched.start(
    "connect-uds",
    withWorkers({ serverFlags: [`--probe-destination=${address}`, "--probe-interval=1s", "--probe-readiness"] }),
  );
  const of = `{destination="${address}"}`;
  const shown =
    `[+]shutdown ok\n[+]worker/0 ok\n[+]worker/1 ok\n[+]descriptors ok\n[+]probe/${address} ok\ncheck passed\n`;
  await until("the checks of both pass", async () => await verbose(launched) === shown);
  const { probes } = await statusOf(launched);
  assert.deepEqual(probes.map(({ worker }) => worker), Array.from({ length: workers }, (_, at) => at));
  const counted = await metrics(launched);
  assert.equal(counted.get(`probe_success${of}`), 1);
  assert.ok((counted.get(`probe_duration_seconds_count${of}`) ?? 0) >= workers);
  assert.equal(counted.get("dial_duration_seconds_count"), 0);
  await destination.die();
  await until("a worker is not ready", async () => /^worker \d: no probe reaches/.test(await readiness(launched)));
  assert.equal((await metrics(launched)).get(`probe_success${of}`), 0);
  await until(
    "the check names the worker",
    async () =>
      /failed \(does not count by itself\): worker \d: the agent could not connect\n/.test(await verbose(launched)),
  );
  await destination.rise();
  await launched.ready();
});

leakTest("a probe that waits is shown as one, delays no shutdown, and is closed at the agent", async () => {
  using silent = await blackHole();
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", {
    serverFlags: [
      `--probe-destination=${silent.address},${echo.address}`,
      "--probe-interval=1h",
      "--probe-timeout=1h",
      "--probe-readiness",
      "--graceful-shutdown-timeout=1h",
      "--backend-dial-timeout=0",
    ],
  });
  // The agent gives a dial up by itself, and the next agent has it tried again.
  await until("the probe waits", async () => {
    const { dials } = await statusOf(launched);
    if (dials.total > 0) {
      assert.deepEqual(dials.items.map(({ destination, client }) => [destination, client]), [
        [silent.address, { frontend: "probe", name: "probe", address: "probe" }],
      ]);
      assert.equal((await metrics(launched)).get("pending_backend_dials"), 0, "it is no client's dial");
      launched.server.program.signal("SIGTERM");
      return true;
    }
    await launched.kill(launched.agent);
    await launched.startAgent();
    return false;
  });
  assert.equal(await launched.end(launched.server), 0, launched.logs);
});
