/**
 * Dials an echo at this machine's link-local address of a device, which the first argument names, as an agent dials its
 * destinations; or with node:net alone, where the second is `bare`. For a network namespace.
 */
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dialContext } from "../../../src/dial/connector.ts";
import { dialTcp } from "../../../src/net/tcp/dial_tcp.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

const [device = "", how] = Deno.args;
const host = () => networkInterfaces()[device]?.find(({ address }) => address.startsWith("fe80:"))?.address;
while (host() === undefined) await new Promise((resolve) => setTimeout(resolve, 20));
const server = createServer({ allowHalfOpen: true }, (socket) => void socket.pipe(socket));
await new Promise<void>((resolve) => server.listen(0, "::", resolve));
const bound = server.address();
const port = bound !== null && typeof bound === "object" ? bound.port : 0;
const zoned = `${host()}%${device}`;

/** How the dial ended: what came back of a mebibyte behind the end of this side, or the failure. */
async function exchanged(): Promise<string> {
  const dialed = await dialTcp("tcp", `[${zoned}]:${port}`, {
    timeoutMs: 10_000,
    signal: new AbortController().signal,
  }, dialContext("destinations", systemClock));
  if (!dialed.ok) return dialed.failure.message;
  const { stream } = dialed;
  let echoed = 0;
  return await new Promise((resolve) => {
    stream.start({
      onData: (bytes) => echoed += bytes.length,
      onDrain: () => {},
      onEnd: () => resolve(`${stream.remoteAddress === `[${zoned}]:${port}`} ${echoed}`),
      onClose: (error) => resolve(`closed: ${error?.message} after ${echoed}`),
    });
    stream.write(new Uint8Array(1 << 20));
    stream.end();
  });
}

/** The same, with nothing of ours. */
function bare(): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: zoned, port });
    socket.once("connect", () => resolve("connected"));
    socket.once("error", ({ message }) => resolve(message));
  });
}

await Deno.stdout.write(new TextEncoder().encode(`${await (how === "bare" ? bare() : exchanged())}\n`));
Deno.exit(0);
