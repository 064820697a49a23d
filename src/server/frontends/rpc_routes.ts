import { type ConnectError, type ConnectRouter, createContextKey, type HandlerContext } from "@connectrpc/connect";
import { AgentService as AgentDescriptor } from "../../../gen/agent/agent_pb.ts";
import { ProxyService as ProxyDescriptor } from "../../../gen/client/client_pb.ts";
import { owned } from "../../faults/owned.ts";
import { MessageStream } from "./message_stream.ts";
import type { PacketStream } from "../../streams/packet_stream.ts";
import type { Packet } from "../../wire/packet.ts";
import { type PeerIdentity, unknownPeer } from "../../wire/peer_identity.ts";
import type { AgentCall, AgentService } from "../agents/agent_service.ts";
import type { ProxyService } from "./proxy_service.ts";

/** `/Service/Method` of the packet services, from their descriptors. */
export const packetPaths = {
  proxy: `/${ProxyDescriptor.typeName}/${ProxyDescriptor.method.proxy.name}`,
  connect: `/${AgentDescriptor.typeName}/${AgentDescriptor.method.connect.name}`,
} as const;

/** Where whoever serves the routes says who calls. */
export const peerKey = createContextKey<PeerIdentity>(unknownPeer, { description: "peer" });

/**
 * Registers ProxyService in a Connect router, for peers that speak another protocol than gRPC, and for in-memory
 * transports.
 */
export function proxyRoutes(router: ConnectRouter, service: ProxyService): void {
  router.service(ProxyDescriptor, {
    async *proxy(packets: AsyncIterable<Packet>, context: HandlerContext) {
      const call = new RoutedCall(packets, context);
      service.handle(call);
      yield* call.answer();
    },
  });
}

/** Registers AgentService in a Connect router. */
export function agentRoutes(router: ConnectRouter, service: AgentService): void {
  router.service(AgentDescriptor, {
    async *connect(packets: AsyncIterable<Packet>, context: HandlerContext) {
      const call = new RoutedCall(packets, context);
      service.handle(call);
      yield* call.answer();
    },
  });
}

/** A call that came through the router. Its response headers leave with its first packet: the router's way. */
class RoutedCall implements AgentCall {
  readonly #packets: AsyncIterable<Packet>;
  readonly #context: HandlerContext;
  readonly #decided = Promise.withResolvers<MessageStream>();

  constructor(packets: AsyncIterable<Packet>, context: HandlerContext) {
    this.#packets = packets;
    this.#context = context;
  }

  get peer(): PeerIdentity {
    return this.#context.values.get(peerKey);
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  metadata(key: string): readonly string[] {
    const value = this.#context.requestHeader.get(key);
    return value === null ? [] : [value];
  }

  accept(metadata: Readonly<Record<string, string>>): PacketStream {
    for (const [key, value] of Object.entries(metadata)) this.#context.responseHeader.set(key, value);
    const stream = new MessageStream(this.#packets);
    this.#decided.resolve(stream);
    return stream;
  }

  refuse(error: ConnectError): void {
    this.#decided.reject(error);
  }

  async *answer(): AsyncIterableIterator<Packet> {
    const stream = await this.#decided.promise;
    // A peer that vanishes may leave the iterator waiting for a packet that never comes.
    const onAbort = owned(stream, () => stream.destroy(new Error("the caller went away")));
    this.signal.addEventListener("abort", onAbort);
    if (this.signal.aborted) onAbort();
    try {
      yield* stream.outgoing();
    } finally {
      this.signal.removeEventListener("abort", onAbort);
    }
  }
}
