import { getLogger } from "@logtape/logtape";
import { connectionOwner, owned, ownedBy, ownerOf } from "../../faults/owned.ts";
import { createServer, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { acceptAgainSoon, stopWaking, wakeAtIntervals } from "../../runtime/accept_wake.ts";
import { probeWhenSilent } from "../../runtime/keepalive_probes.ts";

const log = getLogger(["net", "accept"]);

/** Decides about the connections of one listener. */
export interface Admission {
  /** Whether one more may be accepted; asked before its socket is made. */
  admits(): boolean;
  /** One was accepted; it may be closed here. */
  accepted(socket: Socket): void;
  /** Its TLS handshake is over, and its certificate was verified where the listener asks for one. */
  secured?(socket: TLSSocket): void;
}

/** One listener's fault ends no other's connections. */
const listenerOwner = ownerOf("listener");

const admitAll: Admission = { admits: () => true, accepted: () => {} };

/**
 * Prepares a server of node:net, node:tls, node:http or node:http2 that is about to listen: its connections are probed when
 * they are silent, admitted or refused, and an accept that fails neither ends the process nor leaves the port deaf.
 */
export function superviseAccepts(server: Server, isTcp: boolean, admission: Admission = admitAll): void {
  refuseUnless(server, admission);
  server.on(
    "connection",
    ownedBy(connectionOwner, (socket: Socket) => {
      if (isTcp) probeWhenSilent(socket);
      admission.accepted(socket);
    }),
  );
  if (admission.secured !== undefined) {
    server.on("secureConnection", ownedBy(connectionOwner, (socket: TLSSocket) => admission.secured?.(socket)));
  }
  server.on("listening", owned(listenerOwner, () => wakeAtIntervals(server)));
  server.on("close", owned(listenerOwner, () => stopWaking(server)));
}

/** A failed accept is no failure of the server: it is logged, and the server asked to go on. Called once it listens. */
export function surviveAcceptErrors(server: Server): void {
  server.on(
    "error",
    owned(listenerOwner, (error: Error) => {
      log.warn("a connection could not be accepted: {reason}", { reason: error.message });
      acceptAgainSoon();
    }),
  );
}

/** A second listening socket of the same server, for another address family; its connections are the server's. */
export function companionOf(server: Server, admission: Admission = admitAll): Server {
  const companion = createServer({
    allowHalfOpen: Reflect.get(server, "allowHalfOpen") === true,
    noDelay: Reflect.get(server, "noDelay") === true,
  }, ownedBy(connectionOwner, (socket: Socket) => void server.emit("connection", socket)));
  refuseUnless(companion, admission);
  companion.on("listening", owned(listenerOwner, () => wakeAtIntervals(companion)));
  companion.on("close", owned(listenerOwner, () => stopWaking(companion)));
  return companion;
}

/**
 * Closes connections right after their accept, without a socket, a handshake or an answer, where they are not admitted:
 * node:net looks at `maxConnections` for each. What was not accepted because no descriptor was left is asked for again.
 */
function refuseUnless(server: Server, admission: Admission): void {
  if (admission === admitAll) return;
  Object.defineProperty(server, "maxConnections", {
    configurable: true,
    get() {
      if (admission.admits()) return 0;
      acceptAgainSoon();
      return refuseAny;
    },
  });
}

/** Below every number of connections, and not 0, which means no limit. */
const refuseAny = -1;
