import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type ServerOpts, type Socket } from "node:net";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { runtimeFault } from "../../tests/support/assert/runtime_fault.ts";
import { until } from "../../tests/support/assert/until.ts";
import { probeWhenSilent } from "./keepalive_probes.ts";

/** Seconds until the system probes an accepted connection; undefined where it never does. */
async function probedIn(options: ServerOpts, use: (socket: Socket) => void): Promise<number | undefined> {
  const server = createServer(options);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const client = connect(port, "127.0.0.1");
  client.on("error", () => {});
  const socket = await accepted;
  socket.on("error", () => {});
  use(socket);
  try {
    const seen = await until("no other timer of the connection runs", () => timerOf(port));
    return seen === "none" ? undefined : Number(seen);
  } finally {
    client.destroy();
    socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

/** What the system's table says of the connection that a port has: seconds, `none`, or undefined for another timer. */
async function timerOf(port: number): Promise<string | undefined> {
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of (await Deno.readTextFile("/proc/net/tcp")).split("\n")) {
    const [, from, , state, , timer = ""] = line.trim().split(/\s+/);
    if (from !== local || state !== "01") continue;
    const [kind, ticks = ""] = timer.split(":");
    if (kind === "00") return "none";
    // Hundredths of a second.
    if (kind === "02") return String(Number.parseInt(ticks, 16) / 100);
  }
  return undefined;
}

const option = {
  file: "src/runtime/keepalive_probes.ts",
  then: "look whether the option's interval is Go's, or the probes' interval can be given",
};

runtimeFault(
  "this runtime takes the option of a server to probe its connections, and does not",
  option,
  async () => await probedIn({ keepAlive: true, keepAliveInitialDelay: 15_000 }, () => {}) === undefined,
);

leakTest("a connection that is to be probed when it is silent is, first after fifteen seconds", async () => {
  const seconds = await probedIn({}, probeWhenSilent) ?? assert.fail("it is not probed");
  assert.ok(seconds > 5 && seconds <= 16, `it is probed in ${seconds} s`);
});
