import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { until } from "../support/assert/until.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";

/** More than the backlog that the runtime gives where none is asked for. */
export const dialsAtOnce = 1_500;

/** Dials at once on the Unix socket all succeed. */
export async function dialsManyAtOnce(workers: number): Promise<void> {
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", { serverFlags: [`--workers=${workers}`] });
  const failures: string[] = [];
  // All of them are made before the server takes the first one.
  launched.server.program.signal("SIGSTOP");
  const sockets: Socket[] = [];
  let answered = 0;
  try {
    const connected = Array.from({ length: dialsAtOnce }, () =>
      new Promise<void>((resolve) => {
        const socket = connect(launched.uds);
        sockets.push(socket);
        socket.on("error", (error) => failures.push(error.message));
        socket.on("close", () => resolve());
        socket.once("connect", () => {
          socket.write(`CONNECT ${echo.address} HTTP/1.1\r\nHost: ${echo.address}\r\n\r\n`);
          resolve();
        });
        socket.once("data", (head) => {
          if (String(head).startsWith("HTTP/1.1 200 ")) answered++;
          else failures.push(String(head));
        });
      }));
    await Promise.all(connected);
  } finally {
    launched.server.program.signal("SIGCONT");
  }
  await until("all are answered", () => answered + failures.length >= dialsAtOnce);
  assert.deepEqual(failures, []);
  await Promise.all(sockets.map((socket) => {
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy();
    return closed;
  }));
}
