import type { ByteStream } from "../../../src/streams/byte_stream.ts";

/** Carries bytes, ends and errors both ways. */
export function splice(a: ByteStream, b: ByteStream): void {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    from.start({
      onData: (bytes) => {
        if (!to.write(bytes)) from.pause();
      },
      onDrain: () => to.resume(),
      onEnd: () => to.end(),
      onClose: (error) => {
        if (error !== undefined) return to.destroy();
        // Destroyed by its owner, perhaps before its end was seen.
        to.end();
        to.resume();
      },
    });
  }
}
