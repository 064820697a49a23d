import process from "node:process";
import { type GrpcListenerOptions, listenGrpc } from "../../src/net/http2/grpc_listener.ts";
import type { IncomingCall } from "../../src/net/call/packet_service.ts";
import { listenGrpcOwn } from "../../src/net/http2/h2_listener.ts";
import { testCertificates } from "../support/in_process/test_certificates.ts";
import type { PacketStream } from "../../src/streams/packet_stream.ts";
import type { ConnectId } from "../../src/wire/connect_id.ts";
import { closeResponse, dialed, dialFailed, type Packet, PacketType } from "../../src/wire/packet.ts";
import { systemClock } from "../../src/runtime/system_clock.ts";

/**
 * The server under measurement: `h2_server.ts own|runtime SOCKET|tls`. It says on stdout where it listens: the socket's
 * path, or the port of a TLS listener that asks for no certificate. The dial's address says what it does.
 */
const [kind, where] = Deno.args;
if (where === undefined) throw new Error("usage: h2_server.ts own|runtime SOCKET|tls");

const payload = new Uint8Array(64 * 1024);

class Measured {
  readonly #stream: PacketStream;
  #toSend = 0;
  #toReceive = 0;

  constructor(call: IncomingCall) {
    this.#stream = call.accept({});
    this.#stream.start(this);
  }

  onPacket(packet: Packet): void {
    if (packet.payload.case === "dialRequest") this.#dial(packet.payload.value.address);
    if (packet.type === PacketType.CLOSE_REQ) {
      this.#stream.sendPacket(closeResponse(1));
      this.#stream.end();
    }
  }

  onData(_id: ConnectId, bytes: Uint8Array): void {
    this.#toReceive -= bytes.length;
    if (this.#toReceive <= 0) this.#stream.sendPacket(closeResponse(1));
  }

  onDrain(): void {
    this.#pump();
  }

  onEnd(): void {
    this.#stream.end();
  }

  onClose(): void {}

  #dial(address: string): void {
    const [what, bytes] = address.split(":");
    if (what === "stats") {
      const { user, system } = process.cpuUsage();
      const stats = { cpuSeconds: (user + system) / 1e6, rssBytes: Deno.memoryUsage().rss };
      this.#stream.sendPacket(dialFailed(1n, JSON.stringify(stats)));
      this.#stream.end();
      return;
    }
    this.#stream.sendPacket(dialed(1n, 1));
    if (what === "upload") this.#toReceive = Number(bytes);
    if (what === "download") {
      this.#toSend = Number(bytes);
      this.#pump();
    }
  }

  /** Sends what is left in pieces as a link hands them over, each in a turn of its own. */
  #pump(): void {
    while (this.#toSend > 0) {
      this.#toSend -= payload.length;
      if (!this.#stream.sendData(1, payload)) break;
    }
  }
}

async function tlsOptions(): Promise<Pick<GrpcListenerOptions, "address" | "tls">> {
  const { server } = await testCertificates();
  return {
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    tls: {
      files: {
        material: { cert: server.certPem, key: server.keyPem },
        expirySeconds: undefined,
        onChange: () => () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    },
  };
}

const open = kind === "own" ? listenGrpcOwn : listenGrpc;
const { address } = await open({
  ...(where === "tls" ? await tlsOptions() : { address: { kind: "unix", path: where, deleteExisting: true } }),
  services: [{ path: "/ProxyService/Proxy", handle: (call) => void new Measured(call) }],
  router: (_request, response) => void response.writeHead(404).end(),
  clock: systemClock,
  onConnectionError: () => {},
});
const said = address.kind === "unix" ? address.path : String(address.port);
await Deno.stdout.write(new TextEncoder().encode(`${said}\n`));
