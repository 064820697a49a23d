/**
 * What the benchmarks tunnel to, as a process of its own on 127.0.0.1. Prints its addresses as one line of JSON and runs
 * until its standard input ends.
 */
import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { orderBytes } from "./order.ts";

/** host:port of each kind. */
export interface BenchDestinations {
  /** Sends back what it gets. */
  readonly echo: string;
  /** Sends as many bytes as it is told to (an order), again and again. */
  readonly source: string;
  /** Takes as many bytes as it is told to come, then says one byte, again and again. */
  readonly sink: string;
}

const zeros = new Uint8Array(64 * 1024);

function listen(talk: (socket: Socket) => void): Promise<string> {
  return new Promise((resolve) => {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on("error", () => {});
      talk(socket);
    });
    // The type is wider for servers that do not listen on TCP.
    server.listen(
      { host: "127.0.0.1", port: 0, backlog: 4096 },
      () => resolve(`127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}

/** Takes orders off a socket, which may be followed by bytes of another kind. */
function onOrders(socket: Socket, begin: (bytes: number) => void, take: (bytes: number) => number): void {
  let held = new Uint8Array(0);
  socket.on("data", (chunk: Uint8Array) => {
    let at = take(chunk.length);
    while (at < chunk.length) {
      const part = chunk.subarray(at, at + orderBytes - held.length);
      held = new Uint8Array([...held, ...part]);
      at += part.length;
      if (held.length < orderBytes) return;
      begin(Number(new TextDecoder().decode(held)));
      held = new Uint8Array(0);
      at += take(chunk.length - at);
    }
  });
}

function source(socket: Socket): void {
  let left = 0;
  const pump = () => {
    while (left > 0) {
      const part = zeros.subarray(0, Math.min(left, zeros.length));
      left -= part.length;
      if (!socket.write(part)) return;
    }
  };
  socket.on("drain", pump);
  onOrders(socket, (bytes) => {
    left += bytes;
    pump();
  }, () => 0);
}

function sink(socket: Socket): void {
  let left = 0;
  onOrders(socket, (bytes) => left = bytes, (bytes) => {
    const taken = Math.min(left, bytes);
    left -= taken;
    if (taken > 0 && left === 0) socket.write("k");
    return taken;
  });
}

if (import.meta.main) {
  const destinations: BenchDestinations = {
    echo: await listen((socket) => void socket.pipe(socket)),
    source: await listen(source),
    sink: await listen(sink),
  };
  await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(destinations)}\n`));
  for await (const _ of Deno.stdin.readable);
  Deno.exit(0);
}
