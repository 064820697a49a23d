import { Code, ConnectError } from "@connectrpc/connect";
import { AgentService } from "../../../gen/agent/agent_pb.ts";
import { type GrpcListener, listenGrpc } from "../../../src/net/http2/grpc_listener.ts";
import type { IncomingCall } from "../../../src/net/call/packet_service.ts";
import type { TlsMaterial } from "../../../src/net/tls/tls_files.ts";
import type { PacketStream } from "../../../src/streams/packet_stream.ts";
import { dialRequest } from "../../../src/wire/packet.ts";
import { PacketRecorder } from "../memory/packet_pair.ts";
import { shortName } from "../memory/server_world.ts";
import { testCertificates } from "../in_process/test_certificates.ts";
import { until } from "../assert/until.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

/** What a fake server does with the agents that call. */
export interface FakeServerOptions {
  /** 0 or absent: any that is free. */
  readonly port?: number;
  readonly serverId?: string;
  readonly serverCount?: string;
  /** Offered beyond the original's protocol; absent: none, as an original server. */
  readonly features?: string;
  /** Instead of accepting. */
  readonly refuse?: ConnectError;
  /** Offers direct links, where they are asked for. */
  readonly direct?: boolean;
  /** Takes the call and never answers it. */
  readonly silent?: boolean;
  /** Instead of the test's own. */
  readonly tls?: TlsMaterial;
}

/** One agent's stream, as its server sees it. */
export class FakeAgentLink extends PacketRecorder {
  readonly call: IncomingCall;
  readonly stream: PacketStream;

  constructor(call: IncomingCall, stream: PacketStream) {
    super(shortName);
    this.call = call;
    this.stream = stream;
  }

  override onEnd(): void {
    super.onEnd();
    this.stream.end();
  }

  /** Dials and waits for the answer. Returns the connection's id, or the error's text. */
  async dial(address: string, random: bigint, protocol = "tcp"): Promise<number | string> {
    this.stream.sendPacket(dialRequest({ protocol, address }, random));
    return await until(`dial ${random} of ${address} is answered`, () => {
      for (const { payload } of this.packets) {
        if (payload.case !== "dialResponse" || payload.value.random !== random) continue;
        return payload.value.error === "" ? Number(payload.value.connectID) : payload.value.error;
      }
      return undefined;
    }) ?? 0;
  }

  /** Payload bytes that came for a connection. */
  bytesOf(id: number): number {
    return this.data.reduce((sum, piece) => piece.id === id ? sum + piece.payload.length : sum, 0);
  }

  /** The link is gone. */
  get gone(): boolean {
    return this.end !== undefined;
  }
}

/** A proxy-server that a test plays, on a real port with TLS. */
export interface FakeServer extends AsyncDisposable {
  readonly port: number;
  /** Every call that came, in order, refused and silent ones too. */
  readonly calls: readonly IncomingCall[];
  /** Every link that was accepted, in order, those that are gone too. */
  readonly links: readonly FakeAgentLink[];
  /** Links that are up. */
  readonly up: readonly FakeAgentLink[];
  /** Why connections that never came to a call have failed, in order. */
  readonly connectionErrors: readonly Error[];
  /** Waits for the link of this number, counted from 0. */
  link(index?: number): Promise<FakeAgentLink>;
  /** Sends GOAWAY; streams run on. */
  goAway(): void;
  /** Accepts later calls, whatever earlier ones met. */
  acceptAll(): void;
  close(): Promise<void>;
}

const connectPath = `/${AgentService.typeName}/${AgentService.method.connect.name}`;

export async function startFakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  let accepts = options.refuse === undefined && options.silent !== true;
  const certificates = await testCertificates();
  const material = options.tls ?? {
    cert: certificates.server.certPem,
    key: certificates.server.keyPem,
    ca: certificates.ca.certPem,
  };
  const calls: IncomingCall[] = [];
  const links: FakeAgentLink[] = [];
  const connectionErrors: Error[] = [];
  const handle = (call: IncomingCall) => {
    calls.push(call);
    if (!accepts) {
      if (options.refuse !== undefined) call.refuse(options.refuse);
      return;
    }
    const stream = call.accept({
      serverid: options.serverId ?? "server-1",
      servercount: options.serverCount ?? "1",
      ...(options.features === undefined ? {} : { "konnectivity-features": options.features }),
    });
    const link = new FakeAgentLink(call, stream);
    links.push(link);
    stream.start(link);
  };
  const listener: GrpcListener = await listenGrpc({
    address: { kind: "tcp", host: "127.0.0.1", port: options.port ?? 0 },
    tls: {
      files: {
        material,
        expirySeconds: undefined,
        onChange: () => () => {},
        [Symbol.asyncDispose]: () => Promise.resolve(),
      },
    },
    services: [{ path: connectPath, handle }],
    ...(options.direct === true ? { directService: { path: connectPath, handle } } : {}),
    router: (_request, response) => {
      // As a gRPC server answers a method that it does not have.
      response.writeHead(200, { "content-type": "application/grpc", "grpc-status": String(Code.Unimplemented) });
      response.end();
    },
    clock: systemClock,
    onConnectionError: (error) => connectionErrors.push(error),
  });
  const { address } = listener;
  if (address.kind !== "tcp") throw new Error("no port");
  return {
    port: address.port,
    calls,
    links,
    connectionErrors,
    get up() {
      return links.filter((link) => !link.gone);
    },
    link: async (index = 0) => await until(`agent link ${index} is up`, () => links[index]) ?? links[0] ?? fail(),
    goAway: () => listener.drain(),
    acceptAll: () => {
      accepts = true;
    },
    close: () => listener.close(),
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

function fail(): never {
  throw new ConnectError("no link", Code.Internal);
}
