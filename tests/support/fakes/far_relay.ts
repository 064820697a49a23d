import { connect, createServer, type Socket } from "node:net";

/** Bytes on their way in each direction beyond which no more is read: what a line of some gigabits a second holds. */
const mostBytes = 64 * 1024 * 1024;

/** A line to a port of this machine that holds back each byte for a time, each way, in order. Disposing of it cuts it. */
export interface FarRelay extends AsyncDisposable {
  /** Where the line begins. */
  readonly port: number;
}

/** @param delayMs the time that each byte takes, each way */
export async function startFarRelay(target: number, delayMs: number): Promise<FarRelay> {
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: target, noDelay: true, allowHalfOpen: true });
    keep(near);
    keep(far);
    carry(near, far, delayMs);
    carry(far, near, delayMs);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Brings what one socket reads to the other, a time later; its end too. A socket that breaks breaks the other one. */
function carry(from: Socket, to: Socket, delayMs: number): void {
  /** What is on its way, the oldest first; without bytes it is the end. */
  let way: { readonly bytes: Uint8Array | undefined; readonly due: number }[] = [];
  let wayBytes = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arrive = () => {
    timer = undefined;
    const now = performance.now();
    let arrived = 0;
    for (const { bytes, due } of way) {
      if (due > now || to.writableNeedDrain) break;
      arrived++;
      if (bytes === undefined) to.end();
      else {
        wayBytes -= bytes.length;
        to.write(bytes);
      }
    }
    if (arrived > 0) way = way.slice(arrived);
    if (wayBytes < mostBytes && from.isPaused()) from.resume();
    const [next] = way;
    if (next !== undefined && !to.writableNeedDrain) timer = setTimeout(arrive, Math.max(0, next.due - now));
  };
  const send = (bytes: Uint8Array | undefined) => {
    way.push({ bytes, due: performance.now() + delayMs });
    if (timer === undefined && !to.writableNeedDrain) timer = setTimeout(arrive, delayMs);
  };
  from.on("data", (bytes: Uint8Array) => {
    wayBytes += bytes.length;
    if (wayBytes >= mostBytes) from.pause();
    send(bytes);
  });
  from.on("end", () => send(undefined));
  to.on("drain", () => {
    if (timer === undefined) arrive();
  });
  const end = () => {
    clearTimeout(timer);
    way = [];
    from.destroy();
    to.destroy();
  };
  from.on("close", () => {
    if (!from.readableEnded) end();
  });
  to.on("close", end);
}
