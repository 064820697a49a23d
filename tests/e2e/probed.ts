import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import type { ServerStatus } from "../../src/ops/status/server_status.ts";
import { assertDocumented } from "../support/assert/documented.ts";
import { until } from "../support/assert/until.ts";
import { freePort } from "../support/processes/free_port.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { metrics, readiness } from "../support/processes/workers.ts";

/** Something to probe that goes away and comes back at the same address. */
export class MortalDestination implements AsyncDisposable {
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

export async function statusOf({ server }: Launched): Promise<ServerStatus> {
  const { status, body } = await httpGet(server.adminPort, "/status");
  assert.equal(status, 200, body);
  return JSON.parse(body) as ServerStatus;
}

export async function verbose({ server }: Launched): Promise<string> {
  return (await httpGet(server.healthPort, "/readyz?verbose")).body;
}

/** A destination that goes away and comes back is seen in readiness, metrics, status and audit log. */
export async function followsDestination(kind: "grpc-tls" | "connect-uds"): Promise<void> {
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
}
