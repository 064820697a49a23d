import { isIP } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { owned, ownerOf } from "../faults/owned.ts";
import type { Clock } from "../runtime/clock.ts";
import type { AttemptFailure } from "./address_race.ts";
import { AttemptsError, attemptsError } from "./attempts_error.ts";
import { connectTo } from "./connector.ts";
import type { DialContext } from "./dial.ts";

/**
 * How long a handshake may take where other addresses are left, in milliseconds: somebody who accepts connections and says
 * nothing must not keep a client from the others.
 */
const handshakeMs = 5_000;

/** Says whether a server is verified: what is left to the runtime may be turned off by its environment. */
export type ExplicitTls = ConnectionOptions & { readonly rejectUnauthorized: boolean };

/**
 * Connects over TLS to a host by one of its addresses: the first that connects is held to its handshake, and where that
 * fails or hangs, the others are tried.
 * @param tls without `host` and `port`; the certificate must carry `servername`, the host itself when that is absent
 * @returns a socket whose handshake is done, with no listener for errors
 * @throws as {@link connectTo}, and node:tls's error where the handshake failed
 */
export async function connectSecure(
  host: string,
  port: number,
  tls: ExplicitTls,
  signal: AbortSignal,
  context: DialContext,
): Promise<TLSSocket> {
  const named: ConnectionOptions = tls.servername === undefined && isIP(host) === 0
    ? { ...tls, servername: host }
    : tls;
  const failures: AttemptFailure[] = [];
  for (;;) {
    let others: number;
    try {
      const connected = await connectTo(
        { host, port, family: 0, except: new Set(failures.map(({ address }) => address)) },
        (options) => connect({ ...named, ...options }),
        signal,
        context,
      );
      const { socket, address } = connected;
      others = connected.others;
      failures.push(...connected.failures);
      const error = await handshake(socket, signal, others > 0 ? context.clock : undefined);
      if (error === undefined) return socket;
      failures.push({ address, error });
    } catch (error) {
      if (failures.length === 0 || signal.aborted) throw error;
      others = 0;
      if (error instanceof AttemptsError) failures.push(...error.failures);
      else failures.push({ address: host, error: error instanceof Error ? error : new Error(String(error)) });
    }
    if (others === 0) break;
  }
  throw attemptsError(failures);
}

/**
 * Waits for a handshake that has begun. The socket is destroyed where it fails or is given up.
 * @param limit other addresses are left: it must be done within some seconds on this clock
 * @returns why it failed; undefined: it is done
 * @throws the signal's reason when it aborts
 */
export function handshake(
  socket: TLSSocket,
  signal: AbortSignal,
  limit: Clock | undefined,
): Promise<Error | undefined> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      patience?.cancel();
      signal.removeEventListener("abort", onAbort);
      socket.off("secureConnect", onSecure).off("error", onError).off("close", onClose);
      act();
    };
    const owner = ownerOf("dial", reject);
    const onError = owned(owner, (error: Error) => {
      socket.destroy();
      end(() => resolve(error));
    });
    const onSecure = owned(owner, () => end(() => resolve(undefined)));
    const onClose = owned(owner, () => onError(new Error("connection closed during the handshake")));
    const onAbort = owned(owner, () => {
      socket.destroy();
      end(() => reject(signal.reason));
    });
    const onLate = () => onError(new Error(`no handshake within ${handshakeMs / 1000} s`));
    const patience = limit?.after(handshakeMs, onLate, owner);
    socket.once("secureConnect", onSecure).once("error", onError).once("close", onClose);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}
