import type { TLSSocket } from "node:tls";
import { follow, ownerOf } from "../../../src/faults/owned.ts";
import { KubeClient } from "../../../src/kube/client/kube_client.ts";
import type { ApiTransport } from "../../../src/kube/client/api_transport.ts";
import { pause } from "../../../src/kube/client/pause.ts";
import { LeaseCollector } from "../../../src/kube/leases/lease_collector.ts";
import { LeaseController, leaseName } from "../../../src/kube/leases/lease_controller.ts";
import { LeasesApi } from "../../../src/kube/leases/leases_api.ts";
import { acceptDirect } from "../../../src/net/direct/direct_link.ts";
import { keepaliveTimeoutMs } from "../../../src/net/http2/keepalive.ts";
import type { IncomingCall } from "../../../src/net/call/packet_service.ts";
import { ProxyServer, type ProxyServerOptions } from "../../../src/server/proxy_server.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { unknownPeer } from "../../../src/wire/peer_identity.ts";
import type { HostClock } from "../host_clock.ts";
import type { Network } from "../network/network.ts";
import type { SimSocket } from "../network/sim_socket.ts";
import type { Random } from "../random.ts";
import { acceptConnect } from "./connect_port.ts";
import type { ProbeOptions } from "../../../src/server/probes/destination_probes.ts";
import { hosts, ports } from "./ports.ts";

/** The programs' defaults. */
const keepaliveTimeMs = 10_000;

/** How often a server that stops looks whether its tunnels have ended. */
const pollMs = 200;
const lastWordsMs = 1_000;

export const leaseLabels = { "k8s-app": "konnectivity-server" };
export const leaseNamespace = "kube-system";

/** Where the destination listens that servers probe. */
export const probedPort = 9_999;

/** Probes of that destination. */
export function probesEvery(intervalMs: number): ProbeOptions {
  return {
    destinations: [`${hosts.cluster}:${probedPort}`],
    intervalMs,
    timeoutMs: intervalMs,
    readiness: true,
    events: { probeSucceeded: () => {}, probeFailed: () => {} },
  };
}

/** A server's process, before it starts. */
export interface ServerProcessOptions {
  readonly host: string;
  readonly clock: HostClock;
  readonly random: Random;
  readonly network: Network;
  readonly server: Pick<
    ProxyServerOptions,
    "serverCount" | "strategies" | "dialTimeoutMs" | "maxLinkAgeMs" | "events" | "growth" | "probes"
  >;
  /** Absent: it holds no lease. */
  readonly kube?: ApiTransport | undefined;
  /** Stands around the stream of each client. */
  readonly aroundClient?: (stream: PacketStream) => PacketStream;
}

/** The real core of a server, with the real leases, on a simulated host. */
export class ServerProcess {
  readonly host: string;
  readonly server: ProxyServer;
  readonly clock: HostClock;
  readonly #options: ServerProcessOptions;
  readonly #leases: { readonly controller: LeaseController; readonly collector: LeaseCollector } | undefined;
  readonly #never = new AbortController();

  constructor(options: ServerProcessOptions) {
    const { host, clock, random, kube } = options;
    this.host = host;
    this.clock = clock;
    this.#options = options;
    this.server = new ProxyServer({
      ...options.server,
      serverId: host,
      clock,
      random: random.next,
      keepalive: { timeMs: keepaliveTimeMs, timeoutMs: keepaliveTimeoutMs },
    });
    this.#leases = kube === undefined ? undefined : this.#leasesOver(kube);
  }

  /** Opens the ports; agents and clients may come. */
  start(): void {
    const { network } = this.#options;
    const { server, host, clock } = this;
    const accepting = (service: { handle(call: IncomingCall): void }, counts: "agent" | "client") => (at: SimSocket) =>
      acceptDirect(at.socket as TLSSocket, unknownPeer, {
        path: "/",
        handle: (call) => service.handle(call),
        counts: { received: server.packets[`from_${counts}`], sent: server.packets[`to_${counts}`] },
        // A client that does not read does not answer pings either, as it would over HTTP/2: those are not for it.
      }, { clock, keepaliveTimeMs: counts === "agent" ? keepaliveTimeMs : 0, onConnectionError: () => {} });
    network.listen(host, ports.agents, accepting(server.agents, "agent"));
    const around = this.#options.aroundClient ?? ((stream) => stream);
    const clients = {
      handle: (call: IncomingCall) =>
        server.proxy.handle({
          peer: call.peer,
          metadata: (key) => call.metadata(key),
          accept: (metadata) => around(call.accept(metadata)),
          refuse: (error) => call.refuse(error),
        }),
    };
    network.listen(host, ports.grpcClients, accepting(clients, "client"));
    network.listen(host, ports.connectClients, (socket) => acceptConnect(server, socket));
    server.probes.start();
    this.#leases?.controller.start();
    this.#leases?.collector.start();
  }

  /** Ends in order, as the program does at its first signal. */
  async stop(graceMs: number): Promise<void> {
    const { server } = this;
    server.drain();
    for (const backend of server.pool.all()) backend.sendDrain();
    const withdrawn = this.#withdraw();
    await this.#until(() => server.establishedTunnels + server.pendingDials === 0, graceMs);
    server.closeTunnels("proxy server is shutting down");
    for (const backend of [...server.pool.all()]) backend.close();
    await this.#until(() => server.pool.size === 0, lastWordsMs);
    await withdrawn;
    this.end(false);
  }

  /** Is gone at once. */
  end(powerOff: boolean): void {
    this.#options.network.kill(this.host, powerOff);
    this.clock.stop();
  }

  #leasesOver(transport: ApiTransport) {
    const { host, clock, random } = this.#options;
    const access = {
      server: new URL("https://kubernetes"),
      insecure: false,
      credentials: () => Promise.resolve({}),
      expire: () => {},
    };
    const client = new KubeClient(access, { userAgent: "proxy-server", clock, random: random.next, transport });
    const api = new LeasesApi(client, random.next);
    const [namespace, labels, serverId] = [leaseNamespace, leaseLabels, host];
    const events = { leasesListed: () => {}, leaseDeleted: () => {}, leaseCulled: () => {} };
    return {
      controller: new LeaseController({ api, namespace, serverId, labels, clock, random: random.next }),
      collector: new LeaseCollector({ api, namespace, labels, ownName: leaseName(serverId), events, clock }),
    };
  }

  async #withdraw(): Promise<void> {
    await this.#leases?.collector.stop();
    await this.#leases?.controller.stop();
  }

  async #until(condition: () => boolean, limitMs: number): Promise<void> {
    const end = this.clock.now() + limitMs;
    while (!condition() && this.clock.now() < end) await pause(this.clock, pollMs, this.#never.signal);
  }
}

/** Runs work of a process that nobody waits for. */
export function inBackground(work: Promise<void>): void {
  follow(ownerOf("signal"), work);
}
