import { connect } from "node:net";
import { owned, ownerOf } from "../../faults/owned.ts";

/** A message over TCP has its length before it (RFC 1035 section 4.2.2). */
const lengthBytes = 2;

/**
 * Asks one name server over TCP, for an answer that no datagram holds.
 * @returns the answer's bytes; rejects when the connection breaks before they are complete, or the signal aborts
 */
export function queryOverTcp(
  query: Uint8Array,
  server: string,
  port: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server, port });
    const owner = ownerOf("dial", (error) => end(() => reject(error)));
    const chunks: Uint8Array[] = [];
    let received = 0;
    let wanted: number | undefined;
    const end = (act: () => void) => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      act();
    };
    const onAbort = owned(owner, () => end(() => reject(signal.reason)));
    const onError = owned(owner, (error: Error) => end(() => reject(error)));
    const onClose = owned(owner, () => onError(new Error("connection closed before the answer")));
    const onConnect = owned(owner, () => {
      const framed = new Uint8Array(lengthBytes + query.length);
      new DataView(framed.buffer).setUint16(0, query.length);
      framed.set(query, lengthBytes);
      socket.write(framed);
    });
    socket.on("error", onError).on("close", onClose).on("connect", onConnect);
    const onData = (chunk: Uint8Array) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received < (wanted ?? lengthBytes)) return;
      const bytes = joined(chunks, received);
      // An answer that comes byte by byte is not put together for each of them.
      wanted ??= lengthBytes + new DataView(bytes.buffer).getUint16(0);
      if (received >= wanted) end(() => resolve(bytes.subarray(lengthBytes, wanted)));
    };
    socket.on("data", owned(owner, onData));
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
  });
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
