/** The engine's collector: of young garbage alone, or of all. */
export type Collect = (options: { readonly type: "minor" | "major" }) => void;

/** So many bytes are read between two collections, where memory is no matter. */
export const collectEveryBytes = 16 * 1024 * 1024;

/**
 * Collects young garbage after so many bytes that sockets have read. Every chunk is a buffer outside of the engine's heap,
 * and garbage a moment later. The engine counts such buffers, but looks for young garbage only when its own small heap is
 * full; long before that their sum makes it mark the whole heap, which takes milliseconds at a time. A collection of what
 * is young takes a tenth of one and frees them all.
 * @returns what takes the number of bytes of each chunk
 */
export function youngCollector(collect: Collect | undefined, everyBytes: number = collectEveryBytes) {
  let bytesSince = 0;
  return (bytes: number): void => {
    bytesSince += bytes;
    if (bytesSince < everyBytes) return;
    bytesSince = 0;
    collect?.({ type: "minor" });
  };
}
