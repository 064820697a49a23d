import { Code, ConnectError } from "@connectrpc/connect";
import { PacketError } from "../wire/packet_error.ts";
import { ProxyError } from "./proxy_error.ts";

/** gRPC codes by which a call ends when its connection is lost or its server goes away, rather than by a refusal. */
const lossCodes: ReadonlySet<Code> = new Set([Code.Canceled, Code.Unknown, Code.Unavailable, Code.DeadlineExceeded]);

/** The error for a packet stream that failed. @param dialing the proxy had not answered the dial yet */
export function streamLost(error: Error, dialing: boolean): ProxyError {
  const broken = packetErrorIn(error);
  if (broken !== undefined) {
    return new ProxyError("protocol-error", `proxy broke the protocol: ${broken.message}`, { cause: error });
  }
  if (dialing && error instanceof ConnectError && !lossCodes.has(error.code)) {
    return new ProxyError("proxy-refused", `proxy refused the call: ${error.message}`, { cause: error });
  }
  return new ProxyError("tunnel-closed", `connection to the proxy was lost: ${error.message}`, { cause: error });
}

function packetErrorIn(error: unknown): PacketError | undefined {
  if (error instanceof PacketError) return error;
  return error instanceof Error && error.cause !== undefined ? packetErrorIn(error.cause) : undefined;
}
