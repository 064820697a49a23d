import assert from "node:assert/strict";
import { Conversation } from "../in_process/conversation.ts";
import type { Launched, LaunchOptions } from "./launched.ts";
import { httpGet } from "./processes.ts";

/** How many workers a server of {@link withWorkers} has. */
export const workers = 2;

/** How the name of each metric of a server begins. */
export const metricPrefix = "konnectivity_network_proxy_server_";

/** Enough for no worker to be left out by chance. */
export const connections = 64;

/** Options for a server with workers, whose id is "many". */
export function withWorkers(options: LaunchOptions = {}): LaunchOptions {
  return { ...options, serverFlags: [`--workers=${workers}`, "--server-id=many", ...options.serverFlags ?? []] };
}

/** A server's metrics by name and labels, without their common beginning. */
export async function metrics({ server }: Launched): Promise<Map<string, number>> {
  const { status, body } = await httpGet(server.healthPort, "/metrics");
  assert.equal(status, 200, body);
  const lines = body.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => {
    const space = line.lastIndexOf(" ");
    return [line.slice(0, space).replace(metricPrefix, ""), Number(line.slice(space + 1))];
  }));
}

/** How many tunnels each worker has. */
export async function tunnelsOfWorkers(launched: Launched): Promise<number[]> {
  const all = await metrics(launched);
  return Array.from({ length: workers }, (_, worker) => all.get(`worker_tunnels{worker="${worker}"}`) ?? -1);
}

/** What the server's /readyz says. */
export async function readiness({ server }: Launched): Promise<string> {
  return (await httpGet(server.healthPort, "/readyz")).body;
}

/** Opens tunnels, each over a connection of its own. */
export async function openTunnels(launched: Launched, count: number, address: string, open: AsyncDisposableStack) {
  return await Promise.all(Array.from({ length: count }, async () => {
    const client = open.use(await launched.client());
    return new Conversation(open.use(await client.dial(address)));
  }));
}
