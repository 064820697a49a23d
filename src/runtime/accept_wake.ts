import type { Server } from "node:net";
import { owned, ownerOf } from "../faults/owned.ts";

/** The part of a listening socket's handle that {@link wakeAccept} needs: private fields of the runtime. */
interface ListeningHandle {
  onread?: () => void;
  readStart(): number;
  readStop(): number;
}

const ignoreRead = () => {};

/** How often every listener is made to ask the system for connections, in milliseconds. */
const wakeIntervalMs = 1_000;

/** One listener's fault ends no other's connections. */
const listenerOwner = ownerOf("listener");

/** Listening servers, all of them woken by one timer. */
const listening = new Set<Server>();
let timer: ReturnType<typeof setInterval> | undefined;
let wakeScheduled = false;

/** Makes a server that listens ask the system for connections again and again, until {@link stopWaking}. */
export function wakeAtIntervals(server: Server): void {
  listening.add(server);
  if (timer !== undefined) return;
  timer = setInterval(owned(listenerOwner, wakeAll), wakeIntervalMs);
  Deno.unrefTimer(timer);
}

/** The server listens no more. */
export function stopWaking(server: Server): void {
  listening.delete(server);
  if (listening.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}

/** No more than this turn's accepts may have failed: all listeners are asked to go on in the next one. */
export function acceptAgainSoon(): void {
  if (wakeScheduled) return;
  wakeScheduled = true;
  setImmediate(owned(listenerOwner, () => {
    wakeScheduled = false;
    wakeAll();
  }));
}

function wakeAll(): void {
  for (const server of listening) wakeAccept(server);
}

/**
 * Makes a listening server accept again. When accepting a connection fails once (no file descriptor is left, or the system
 * is short of memory), node:net of Deno 2.9.6 neither reports an error nor asks the system again: the port stays open and
 * deaf for ever, while Node goes on. To begin a read on the listening handle, and to stop it at once, makes the runtime
 * poll the handle, which accepts what waits; where nothing waits or nothing is wrong, it is one system call without effect.
 * A bind of its own would lose the connections that wait, and the port for a moment. `accept_wake_test.ts` fails when the
 * private fields are gone, and says so when the runtime does not need it any more.
 * @returns whether it could; false for a server that does not listen
 */
export function wakeAccept(server: Server): boolean {
  if (!server.listening) return false;
  const handle: unknown = Reflect.get(server, "_handle");
  if (!isListeningHandle(handle)) return false;
  handle.onread ??= ignoreRead;
  const started = handle.readStart() === 0;
  handle.readStop();
  return started;
}

function isListeningHandle(handle: unknown): handle is ListeningHandle {
  return typeof handle === "object" && handle !== null &&
    typeof Reflect.get(handle, "readStart") === "function" && typeof Reflect.get(handle, "readStop") === "function";
}
