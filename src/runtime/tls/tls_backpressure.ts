import type { TLSSocket } from "node:tls";

interface Readable {
  readStart(): number;
  readStop(): number;
}

interface TlsHandle extends Readable {
  _parent?: Partial<Readable>;
}

/**
 * Makes a TLS socket push back on its peer when its owner stops reading. On this runtime TLSWrap.readStop() stops only
 * the clear text: cipher text goes on being read and decrypted into memory without a bound, and an end that arrives
 * meanwhile is lost. Stopping the transport below it repairs both. Call it once the handshake is done.
 *
 * Private fields of the runtime are the only way; where they are missing nothing is done and false is returned, which a
 * regression test watches.
 */
export function withReadBackpressure(socket: TLSSocket): boolean {
  const tls = (socket as unknown as { _handle?: TlsHandle })._handle;
  const transport = tls?._parent;
  if (tls === undefined || transport === undefined) return false;
  if (typeof transport.readStop !== "function" || typeof transport.readStart !== "function") return false;
  const parent = transport as Readable;
  const stop = tls.readStop;
  const start = tls.readStart;
  let stopped = false;
  tls.readStop = () => {
    stopped = true;
    parent.readStop();
    return stop.call(tls);
  };
  tls.readStart = () => {
    stopped = false;
    const result = start.call(tls);
    // That has handed on what was decrypted, at which the owner may have stopped again.
    if (!stopped && !socket.destroyed) parent.readStart();
    return result;
  };
  return true;
}
