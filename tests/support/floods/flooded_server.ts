/**
 * A bare server that strangers flood while a neighbour wants its bytes back, from another process: what the runtime makes of it,
 * without anything of the programs but what reads the sockets.
 *
 *     flooded_server.ts server runtime|turns WORK_MS STRANGERS ANSWERS LIMIT_MS
 *
 * floods until the neighbour has had so many answers, or for the time in milliseconds, and prints how many it had, how long
 * that took and its longest wait, as JSON.
 * @module
 */
import { createServer, type Socket } from "node:net";
import { readInTurns } from "../../../src/runtime/fair_reading.ts";

/** What the neighbour saw. */
export interface NeighbourFigures {
  readonly answers: number;
  readonly tookMs: number;
  readonly worstMs: number;
}

/** First bytes of the connections of the two. */
const floodByte = 70;
const echoByte = 69;
/** The name of the thread in which the strangers are. */
const floodName = "strangers of a flooded server";
const module = new URL(import.meta.url).pathname;

function serve(reads: string, workMs: number, neighbour: readonly string[]): void {
  const server = createServer({ noDelay: true }, (socket: Socket) => {
    let first: number | undefined;
    socket.on("error", () => {});
    const onData = (bytes: Uint8Array) => {
      first ??= bytes[0];
      if (first === echoByte) return void socket.write(bytes);
      const end = performance.now() + workMs * bytes.length / 65_536;
      while (performance.now() < end);
    };
    if (reads === "turns") readInTurns(socket, onData);
    else socket.on("data", onData);
  });
  server.listen(0, "127.0.0.1", async () => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", module, "client", String(address.port), ...neighbour],
      stderr: "inherit",
    }).output();
    await Deno.stdout.write(stdout);
    Deno.exit();
  });
}

/** The neighbour; the strangers come once it has been answered, in a thread of their own. */
async function talk(port: number, strangers: number, enough: number, limitMs: number): Promise<void> {
  const socket = await Deno.connect({ port });
  let since = performance.now();
  let answers = 0;
  let worstMs = 0;
  const ask = async () => {
    since = performance.now();
    await socket.write(Uint8Array.of(echoByte));
    await socket.read(new Uint8Array(1));
    answers++;
    worstMs = Math.max(worstMs, performance.now() - since);
  };
  for (let count = 0; count < 10; count++) await ask();
  const worker = new Worker(import.meta.url, { type: "module", name: floodName });
  worker.postMessage({ port, strangers });
  await new Promise((resolve) => worker.onmessage = resolve);
  answers = 0;
  worstMs = 0;
  const began = performance.now();
  const finish = () => {
    worstMs = Math.max(worstMs, performance.now() - since);
    const figures: NeighbourFigures = { answers, tookMs: performance.now() - began, worstMs };
    Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(figures)));
    Deno.exit();
  };
  setTimeout(finish, limitMs);
  while (answers < enough) await ask();
  finish();
}

function flood(): void {
  const own = globalThis as unknown as MessagePort;
  own.onmessage = async ({ data }: MessageEvent<{ readonly port: number; readonly strangers: number }>) => {
    const { port, strangers } = data;
    const chunk = new Uint8Array(65_536).fill(floodByte);
    const write = async (stranger: Deno.Conn) => {
      for (;;) await stranger.write(chunk);
    };
    const conns = await Promise.all(Array.from({ length: strangers }, () => Deno.connect({ port })));
    for (const conn of conns) write(conn).catch(() => {});
    own.postMessage("floods");
  };
}

/**
 * Runs one.
 * @param interval of the runtime's turns at which it asks the system what can be read
 * @param enough answers of the neighbour after which it ends
 * @param limitMs when it ends in any case
 */
export async function floodedServer(
  reads: "runtime" | "turns",
  workMs: number,
  strangers: number,
  interval: 8 | 61,
  enough: number,
  limitMs: number,
): Promise<NeighbourFigures> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      new URL(import.meta.url).pathname,
      "server",
      reads,
      ...[workMs, strangers, enough, limitMs].map(String),
    ],
    env: { DENO_TOKIO_EVENT_INTERVAL: String(interval) },
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`the flooded server ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as NeighbourFigures;
}

if (Reflect.get(globalThis, "name") === floodName) flood();
else if (import.meta.main) {
  const [role, ...args] = Deno.args;
  const [first = "", ...numbers] = args;
  const [a = 0, b = 0, c = 0] = numbers.map(Number);
  if (role === "server") serve(first, a, numbers.slice(1));
  else await talk(Number(first), a, b, c);
}
