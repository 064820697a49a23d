import type { Writable } from "node:stream";

const corked: Writable[] = [];

function uncorkAll(): void {
  try {
    for (let socket = corked.pop(); socket !== undefined; socket = corked.pop()) socket.uncork();
  } finally {
    // One that fails keeps no other from being written.
    if (corked.length > 0) queueMicrotask(uncorkAll);
  }
}

/** Makes one write to the system of all that is written to a socket within this turn of the event loop. */
export function corkForTurn(socket: Writable): void {
  if (socket.writableCorked > 0) return;
  if (corked.length === 0) queueMicrotask(uncorkAll);
  corked.push(socket);
  socket.cork();
}
