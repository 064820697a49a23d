import { Duplex } from "node:stream";
import { follow, ownerOf } from "../faults/owned.ts";
import type { Tunnel } from "./tunnel.ts";

/**
 * A tunnel as a stream of node:stream, for libraries that want a socket. It takes both of the tunnel's streams; what it
 * holds itself is bounded as theirs is. Destroying it with an error drops the tunnel, without one closes it in order.
 */
export function toDuplex(tunnel: Tunnel): Duplex {
  const reader = tunnel.readable.getReader();
  const writer = tunnel.writable.getWriter();
  // Each operation's own promise reports the end; these would be unhandled rejections.
  reader.closed.catch(() => {});
  writer.closed.catch(() => {});
  writer.ready.catch(() => {});
  const owner = ownerOf("tunnel", (error) => duplex.destroy(error));
  let reading = false;
  const read = async (): Promise<void> => {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return void duplex.push(null);
        if (!duplex.push(value)) break;
      }
      reading = false;
    } catch (error) {
      duplex.destroy(asError(error));
    }
  };
  const duplex = new Duplex({
    allowHalfOpen: true,
    read() {
      if (reading) return;
      reading = true;
      follow(owner, read());
    },
    write(chunk: Uint8Array, _encoding, done) {
      follow(owner, writer.write(chunk).then(() => done(), done));
    },
    final(done) {
      follow(owner, writer.close().then(() => done(), done));
    },
    destroy(error, done) {
      if (error === null) follow(owner, tunnel.close());
      else writer.abort(error).catch(() => {});
      done(error);
    },
  });
  return duplex;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
