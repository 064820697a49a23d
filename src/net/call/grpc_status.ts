import { Code, ConnectError } from "@connectrpc/connect";
import { PacketError, type PacketErrorCode } from "../../wire/packet_error.ts";
import { decodeStatusMessage, encodeStatusMessage } from "./status_message.ts";

/** The gRPC code that each framing error ends a stream with, as grpc-go chooses them. */
const packetErrorCodes: Readonly<Record<PacketErrorCode, Code>> = {
  malformed: Code.Internal,
  compressed: Code.Unimplemented,
  "too-large": Code.ResourceExhausted,
  truncated: Code.Internal,
};

/** The error as gRPC peers receive it. */
export function grpcError(error: Error): ConnectError {
  if (error instanceof PacketError) return new ConnectError(error.message, packetErrorCodes[error.code]);
  return ConnectError.from(error);
}

/** The trailers that carry a call's status. */
export function statusTrailers(status: ConnectError | undefined): Record<string, string> {
  if (status === undefined) return { "grpc-status": "0" };
  return { "grpc-status": String(status.code), "grpc-message": encodeStatusMessage(status.rawMessage) };
}

/**
 * The error that trailers, or headers of a response without a body, carry. No library reads them: Connect's throws for a text
 * that is no percent-encoding, and for details that are no message, whose call would then not end.
 * @returns undefined where they say that all went well, or nothing
 */
export function statusError(trailers: { get(key: string): string | null }): ConnectError | undefined {
  const status = trailers.get("grpc-status");
  if (status === null || status === "0") return undefined;
  const code = Number(status);
  if (Code[code] === undefined) return new ConnectError(`invalid grpc-status: ${status}`, Code.Internal);
  return new ConnectError(decodeStatusMessage(trailers.get("grpc-message") ?? ""), code);
}
