import { Code, ConnectError } from "@connectrpc/connect";
import type { HeaderField } from "../../h2/hpack/header_table.ts";
import { statusTrailers } from "./grpc_status.ts";
import type { MessageService } from "./message_service.ts";
import type { PacketService } from "./packet_service.ts";
import { type RequestTarget, soundAuthority } from "./request_target.ts";

/** What a listener serves, by path. */
export interface CallTable {
  readonly packets: ReadonlyMap<string, PacketService>;
  readonly messages: ReadonlyMap<string, MessageService>;
  /** Paths that the router serves; undefined: it answers everything itself. */
  readonly routed: ReadonlySet<string> | undefined;
}

/** Who serves a request, or the answer that refuses it: a status of gRPC, which is headers alone, or an empty page. */
export type CallRoute =
  | { readonly kind: "packets"; readonly service: PacketService }
  | { readonly kind: "message"; readonly service: MessageService }
  | { readonly kind: "router"; readonly authority: string }
  | { readonly kind: "status"; readonly headers: readonly HeaderField[] }
  | { readonly kind: "page"; readonly headers: readonly HeaderField[] };

/** Content types that Connect's router serves: Connect's own, gRPC-Web, and gRPC in a form that is not the usual one. */
const routedTypes =
  /^application\/(?:proto|json|connect\+(?:proto|json)|grpc(?:\+(?:proto|json))?|grpc-web(?:-text)?(?:\+(?:proto|json))?)\s*(?:;|$)/i;

/**
 * Decides who serves a request. What nobody does is refused here, in the words that Connect's router and gRPC have for it:
 * a request that reaches the router costs two streams of node:http2.
 */
export function routeCall(request: RequestTarget & { readonly contentType: string }, table: CallTable): CallRoute {
  const grpc = request.method === "POST" && isGrpc(request.contentType);
  const packets = grpc ? table.packets.get(request.path) : undefined;
  // Before its authority is looked at: no packet service reads it, and old clients write what they like there.
  if (packets !== undefined) return { kind: "packets", service: packets };
  const authority = soundAuthority(request);
  if (authority === undefined) return page([[":status", "400"]]);
  const message = grpc ? table.messages.get(request.path) : undefined;
  if (message !== undefined) return { kind: "message", service: message };
  if (table.routed === undefined) return { kind: "router", authority };
  const [path = ""] = request.path.split("?", 1);
  if (!table.routed.has(path)) return grpc ? unknownMethod(path) : page([[":status", "404"]]);
  if (request.method !== "POST") return page([[":status", "405"], ["allow", "POST"]]);
  return routedTypes.test(request.contentType) ? { kind: "router", authority } : page([[":status", "415"]]);
}

/** `application/grpc` and its protobuf form. */
function isGrpc(type: string): boolean {
  return type === "application/grpc" || type === "application/grpc+proto" || type.startsWith("application/grpc;");
}

function unknownMethod(path: string): CallRoute {
  const error = new ConnectError(`unknown method ${path.slice(0, 200)}`, Code.Unimplemented);
  return { kind: "status", headers: refusalHeaders(error) };
}

/** Response headers that refuse a call of gRPC: its status goes out at once, without a body. */
export function refusalHeaders(error: ConnectError): readonly HeaderField[] {
  return [[":status", "200"], ["content-type", "application/grpc"], ...Object.entries(statusTrailers(error))];
}

function page(headers: readonly HeaderField[]): CallRoute {
  return { kind: "page", headers };
}
