/** A callback that the runtime calls without an owner, and why it needs none. */
export interface OwnedException {
  readonly path: string;
  /** A piece of its text, blanks and line breaks each as one blank. */
  readonly text: string;
  readonly why: string;
}

const settles = "it settles a promise, of which somebody waits for the outcome";
const passesOn = "it passes a callback on that is owned where it is made";
const demo = "a program for one user's terminal, which an error may end";
const lowest = "src/runtime imports nothing of ours, and what is called there does not throw";

export const ownedExceptions: readonly OwnedException[] = [
  { path: "src/agent/servers/open_link.ts", text: "step(attempt.signal).then(resolve, reject)", why: settles },
  {
    path: "src/net/tcp/unix_socket.ts",
    text: '.once("connect", () => { probe.destroy(); resolve(true); })',
    why: settles,
  },
  { path: "src/net/tcp/unix_socket.ts", text: '.once("error", (error) => void resolve(', why: settles },
  { path: "src/runtime/keepalive_probes.ts", text: '.on("close", this.#forget)', why: lowest },
  { path: "src/runtime/keepalive_probes.ts", text: "setInterval(() => this.#visit()", why: lowest },
  { path: "src/net/tcp/listen.ts", text: '.once("error", onError)', why: settles },
  { path: "src/net/direct/direct_link.ts", text: ".once(event, listener)", why: passesOn },
  { path: "src/net/http2/grpc_listener.ts", text: ".once(event, listener)", why: passesOn },
  { path: "src/net/http2/h2_listener.ts", text: ".once(event, listener)", why: passesOn },
  { path: "src/net/http2/h2_socket.ts", text: '.once("close", linger(', why: "it cancels a deadline" },
  {
    path: "src/runtime/system_clock.ts",
    text: "setTimeout(this.#fire",
    why: "each deadline that it calls has its own owner",
  },
  {
    path: "src/runtime/fair_reading.ts",
    text: '.on("data", (bytes: Uint8Array) => { if (reader.untimed > 0)',
    why: passesOn,
  },
  { path: "src/runtime/fair_reading.ts", text: "queueMicrotask(settle)", why: lowest },
  { path: "src/runtime/fair_reading.ts", text: "setImmediate(nextTurn)", why: lowest },
  { path: "src/ops/health.ts", text: '.on("ALL"', why: "a route of Hono: what it throws is Hono's onError's" },
  { path: "src/logging/logging.ts", text: '.addEventListener("unload", flushSync)', why: "the process is ending" },
  { path: "src/logging/logging.ts", text: ".addEventListener(kind, onUncaught)", why: "the process is ending" },
  {
    path: "src/logging/logging.ts",
    text: "void outputs.flush().then(() => reportError(error))",
    why: "the process is ending",
  },
  {
    path: "src/server/frontends/http_connect_frontend.ts",
    text: '.on("CONNECT"',
    why: "a route of Hono: what it throws is Hono's onError's",
  },
  {
    path: "src/programs/server/workers/worker_main.ts",
    text: '.addEventListener("message"',
    why: "a worker that cannot start or stop ends the command, which says so",
  },
  { path: "src/programs/demo/part.ts", text: "void this.#child.status.then(", why: demo },
  { path: "src/programs/demo/part.ts", text: "setTimeout(() => this.kill()", why: demo },
  { path: "src/programs/demo/run_demo.ts", text: '.addEventListener("unload", kill)', why: demo },
  { path: "src/programs/demo/run_demo.ts", text: 'Deno.addSignalListener("SIGHUP", onHangup)', why: demo },
  { path: "src/programs/demo/run_demo.ts", text: "void signals.first.then(end)", why: demo },
  { path: "src/programs/demo/run_demo.ts", text: "void signals.second.then(kill)", why: demo },
  ...[
    '.on("connection", (socket)',
    '.on("readable"',
    '.on("end", onEnd)',
    '.on("error", onError)',
    '.on("close", settle)',
  ]
    .map((text) => ({
      path: "src/runtime/tls/full_handshakes.ts",
      text,
      why: "its listener guards what reads and what it is told",
    })),
  ...['.on("connection", (socket)', '.on("error", onError)', '.on("close", onClose)'].map((text) => ({
    path: "src/runtime/tls/handshake_turns.ts",
    text,
    why: "the handshake that it begins is guarded, and the rest does not throw",
  })),
  { path: "src/runtime/http/http2_guard.ts", text: "setImmediate(() => close(onClosed))", why: lowest },
  { path: "src/runtime/http/http2_guard.ts", text: "setImmediate(() => destroy(error, code))", why: lowest },
  { path: "src/runtime/inspector_guard.ts", text: "setImmediate(eachTurn)", why: lowest },
  { path: "src/runtime/inspector_guard.ts", text: "setInterval(watch, watchIntervalMs)", why: lowest },
  { path: "src/runtime/inspector_guard.ts", text: 'Deno.addSignalListener("SIGUSR1", onUsr1)', why: lowest },
  { path: "src/runtime/turn_cork.ts", text: "queueMicrotask(uncorkAll)", why: lowest },
];
