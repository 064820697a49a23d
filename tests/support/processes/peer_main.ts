/**
 * A client or a destination as a process of its own, which a test may freeze and kill.
 *
 *     peer_main.ts echo                               prints its address, and echoes
 *     peer_main.ts take SOCKET DESTINATION BYTES      takes the pattern through a tunnel
 *
 * The second dials a source, by HTTP CONNECT on a Unix socket; it prints `half` when half of the bytes have come, and `whole`
 * behind the last of them, each of them the right one.
 * @module
 */
import { connect } from "../../../src/client/mod.ts";
import { echoDestination, patternBytes } from "../in_process/destinations.ts";

async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}

async function take(path: string, destination: string, bytes: number): Promise<void> {
  const expected = patternBytes(bytes);
  await using client = await connect({ mode: "http-connect", transport: "unix", path });
  await using tunnel = await client.dial(destination);
  const writer = tunnel.writable.getWriter();
  await writer.write(new TextEncoder().encode(`${bytes}\n`));
  let at = 0;
  for await (const chunk of tunnel.readable) {
    if (!expected.subarray(at, at + chunk.length).equals(chunk)) throw new Error(`other bytes behind ${at}`);
    if (at < bytes / 2 && at + chunk.length >= bytes / 2) await say("half");
    at += chunk.length;
  }
  if (at !== bytes) throw new Error(`${at} bytes of ${bytes}`);
  await writer.close();
  await say("whole");
}

if (import.meta.main) {
  const [role, path = "", destination = "", bytes = "0"] = Deno.args;
  if (role === "take") {
    await take(path, destination, Number(bytes));
    Deno.exit(0);
  }
  const { address } = await echoDestination();
  await say(address);
}
