import { type FleetSize, LargeFleet, type Recovery } from "./large_fleet.ts";

/** What happens to a fleet. */
export const events = ["cold start", "storm", "zone lost", "rollout of one server"] as const;

export type FleetEvent = typeof events[number];

/** How long a server of a rollout drains, and another one takes to start, in milliseconds. */
const graceMs = 30_000;
const startMs = 5_000;
/** A pause between two events, in which links settle. */
const restMs = 120_000;
/** How long a zone stays away. */
const awayMs = 120_000;
/** How long a fleet may take, in seconds of its time. */
const limitS = 36_000;

/** Has everything happen to a fleet of a size, with the agents' real decisions, and measures how long it takes to be whole. */
export async function recoveries(size: FleetSize): Promise<ReadonlyMap<FleetEvent, Recovery>> {
  const fleet = new LargeFleet(size, `scale ${size.servers} ${size.agents}`);
  const found = new Map<FleetEvent, Recovery>();
  await fleet.start(1_000);
  found.set("cold start", await fleet.recover(limitS));
  await fleet.run(restMs);
  for (const server of fleet.servers) fleet.restart(server, startMs);
  await fleet.run(startMs);
  found.set("storm", await fleet.recover(limitS));
  await fleet.run(restMs);
  const zone = fleet.servers.slice(0, Math.ceil(size.servers / 3));
  for (const server of zone) fleet.lose(server);
  await fleet.run(awayMs);
  for (const _server of zone) fleet.addServer();
  found.set("zone lost", await fleet.recover(limitS));
  await fleet.run(restMs);
  const [oldest] = fleet.servers;
  if (oldest !== undefined) fleet.retire(oldest, graceMs);
  await fleet.run(graceMs + startMs);
  fleet.addServer();
  found.set("rollout of one server", await fleet.recover(limitS));
  await fleet.close();
  return found;
}
