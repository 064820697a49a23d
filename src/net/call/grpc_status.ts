import { Code, ConnectError } from "@connectrpc/connect";
import { setTrailerStatus } from "@connectrpc/connect/protocol-grpc";
import { PacketError, type PacketErrorCode } from "../../wire/packet_error.ts";

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
  const trailers = new Headers();
  setTrailerStatus(trailers, status);
  return Object.fromEntries(trailers);
}
