import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { type Packet, PacketSchema, PacketType, ProxyService } from "../../gen/client/client_pb.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { closeRequest, data, dialRequest } from "./raw_grpc.ts";
import { assertNoTunnelLeft, type FrontendKind, sharedTopology, type Topology } from "./topology.ts";

type Protocol = "gRPC" | "Connect";
type Init = MessageInitShape<typeof PacketSchema>;

/** Opens a transport as stock clients do. Its session is its own, so that it can be closed. */
function openTransport(protocol: Protocol, { uds, port, certificates }: Topology): {
  readonly transport: Transport;
  close(): void;
} {
  const baseUrl = uds !== "" ? "http://localhost" : `https://127.0.0.1:${port}`;
  const nodeOptions = uds !== "" ? { createConnection: () => connect(uds) } : {
    ca: readFileSync(certificates.caCert),
    cert: readFileSync(certificates.clientCert),
    key: readFileSync(certificates.clientKey),
  };
  const sessionManager = new Http2SessionManager(baseUrl, {}, nodeOptions);
  const transport = protocol === "gRPC"
    ? createGrpcTransport({ baseUrl, nodeOptions, sessionManager })
    : createConnectTransport({ httpVersion: "2", baseUrl, nodeOptions, sessionManager });
  return { transport, close: () => sessionManager.abort() };
}

/** What the test wants to send next, for as long as it has not ended the call. */
class Outbox {
  readonly #waiting: Init[] = [];
  #wake = Promise.withResolvers<void>();
  #ended = false;

  send(packet: Init): void {
    this.#waiting.push(packet);
    this.#wake.resolve();
  }

  end(): void {
    this.#ended = true;
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Init> {
    for (;;) {
      const packet = this.#waiting.shift();
      if (packet !== undefined) yield packet;
      else if (this.#ended) return;
      else {
        await this.#wake.promise;
        this.#wake = Promise.withResolvers<void>();
      }
    }
  }
}

/** Reads packets of a type, one at a time. */
async function next(packets: AsyncIterator<Packet>, type: PacketType): Promise<Packet> {
  const { value, done } = await packets.next();
  assert(done !== true, "the call has ended");
  assert.equal(value.type, type);
  return value;
}

async function tunnel(transport: Transport, topology: Topology): Promise<void> {
  const { echo } = topology.destinations;
  const outbox = new Outbox();
  const call = createClient(ProxyService, transport).proxy(outbox);
  const packets = call[Symbol.asyncIterator]();
  const random = 2n ** 62n + 3n;
  outbox.send(dialRequest(echo.address, random));
  const { payload } = await next(packets, PacketType.DIAL_RSP);
  assert(payload.case === "dialResponse");
  assert.deepEqual({ error: payload.value.error, random: payload.value.random }, { error: "", random });
  const id = payload.value.connectID;

  const text = "through the tunnel ".repeat(20_000);
  for (let at = 0; at < text.length; at += 32_000) outbox.send(data(id, text.slice(at, at + 32_000)));
  const decoder = new TextDecoder();
  let back = "";
  while (back.length < text.length) {
    const { payload } = await next(packets, PacketType.DATA);
    assert(payload.case === "data");
    back += decoder.decode(payload.value.data, { stream: true });
  }
  assert.equal(back, text);

  outbox.send(closeRequest(id));
  const closed = await next(packets, PacketType.CLOSE_RSP);
  assert.deepEqual(
    closed,
    create(PacketSchema, {
      type: PacketType.CLOSE_RSP,
      payload: { case: "closeResponse", value: { connectID: id } },
    }),
  );
  outbox.end();
  assert.equal((await packets.next()).done, true);
}

async function refused(transport: Transport, topology: Topology): Promise<void> {
  const outbox = new Outbox();
  const packets = createClient(ProxyService, transport).proxy(outbox)[Symbol.asyncIterator]();
  outbox.send(dialRequest(topology.destinations.refused, 7n));
  const { payload } = await next(packets, PacketType.DIAL_RSP);
  assert(payload.case === "dialResponse");
  assert.match(payload.value.error, /connection refused/);
  assert.equal(payload.value.random, 7n);
  outbox.end();
  assert.equal((await packets.next()).done, true);
}

async function cancelled(transport: Transport, topology: Topology): Promise<void> {
  const outbox = new Outbox();
  const giveUp = new AbortController();
  const call = createClient(ProxyService, transport).proxy(outbox, { signal: giveUp.signal });
  const packets = call[Symbol.asyncIterator]();
  outbox.send(dialRequest(topology.destinations.echo.address, 8n));
  await next(packets, PacketType.DIAL_RSP);
  giveUp.abort();
  await assert.rejects(packets.next(), (error) => ConnectError.from(error).code === Code.Canceled);
}

const frontends: readonly FrontendKind[] = ["grpc-uds", "grpc-tls"];

for (const kind of frontends) {
  const topologyOf = sharedTopology(kind);
  for (const protocol of ["gRPC", "Connect"] as const) {
    const withTransport = async (body: (transport: Transport, topology: Topology) => Promise<void>) => {
      const topology = topologyOf();
      const { transport, close } = openTransport(protocol, topology);
      try {
        await body(transport, topology);
        await assertNoTunnelLeft(topology);
      } finally {
        close();
      }
    };
    leakTest(`${kind}: a stock client with the ${protocol} transport tunnels through the server`, () => {
      return withTransport(tunnel);
    });
    leakTest(`${kind}: a stock client with the ${protocol} transport learns of a refused dial`, () => {
      return withTransport(refused);
    });
    leakTest(`${kind}: a stock client with the ${protocol} transport ends its tunnel by cancelling the call`, () => {
      return withTransport(cancelled);
    });
  }
}
