import type { BenchDestinations } from "./bench_destinations.ts";
import { type BenchPlace, BenchWorld, type Implementation } from "./bench_world.ts";
import { Fleet, fleetFault, type LinkKind } from "./fleet.ts";
import type { Figure } from "./load.ts";
import { cpuSeconds, rssBytes } from "./process_figures.ts";
import type { BenchSizes } from "./scenarios.ts";

/** The server has the neighbour's agent for 127.0.0.1, where the destinations are, and the fleet for nothing. */
const serverFlags = ["--proxy-strategies=destHost,default"];
const agentFlags = ["--agent-identifiers=ipv4=127.0.0.1", "--agent-id=neighbour"];

/**
 * Many agents on one server, which link, are idle, lose the server and come back, then are lost and come back beside a
 * neighbour that works.
 * @throws where the machine cannot have them, or the server does not take links of the kind
 */
export async function measureFleet(
  implementation: Implementation,
  place: BenchPlace,
  destinations: BenchDestinations,
  agents: number,
  kind: LinkKind,
  { fleet: { idleMs, settleMs, scrapes }, limitMs }: BenchSizes,
): Promise<Figure[]> {
  const fault = fleetFault(agents);
  if (fault !== undefined) throw new Error(fault);
  await using world = await BenchWorld.start(implementation, "grpc-uds", place, 1, { serverFlags, agentFlags });
  const { certificates } = place;
  await using fleet = await Fleet.spawn(agents, kind, { port: world.ports.agents, certificates }, limitMs);
  const figures: Figure[] = [];
  const add = (name: string, unit: string, value: number) => void figures.push({ name, unit, value });
  const cpu = () => cpuSeconds(world.server.pid);
  const timed = async (name: string, step: () => Promise<void>) => {
    const since = performance.now();
    await step();
    add(name, "s", (performance.now() - since) / 1000);
  };

  const [emptyBytes, unlinkedCpu] = [rssBytes(world.server.pid), cpu()];
  await timed("time to link", () => fleet.link(limitMs));
  add("server CPU of a link", "ms each", (cpu() - unlinkedCpu) * 1000 / agents);
  if (kind === "direct" && fleet.direct === 0) throw new Error("the server takes no direct links");
  await pause(settleMs);
  const [idleCpu, idleSince] = [cpu(), performance.now()];
  await pause(idleMs);
  add("server CPU idle", "% of a core", (cpu() - idleCpu) * 100_000 / (performance.now() - idleSince));
  add("server memory of an agent", "KiB", (rssBytes(world.server.pid) - emptyBytes) / 1024 / agents);

  for (const path of ["/metrics", "/status"]) {
    const page = { port: world.ports.admin, path };
    const job = { kind: "scrape", page, healthPort: world.ports.health, count: scrapes } as const;
    // Others have no such page.
    const found = await world.load(destinations, job, limitMs).catch(() => []);
    for (const { name, unit, value } of found) add(`${name} by ${path.slice(1)}`, unit, value);
  }

  await timed("time to be back", async () => {
    await world.killServer();
    // Else a fleet that has not noticed yet would count as back.
    await fleet.linked("none", limitMs);
    await world.startServerAgain();
    await fleet.linked("all", limitMs);
  });

  // The neighbour works from the beginning on.
  await world.agentsReady();
  await fleet.drop(limitMs);
  const [lines, stormCpu] = [linesOf(world), cpu()];
  const seen = await world.load(destinations, { kind: "neighbour" }, 2 * limitMs, () => fleet.link(limitMs));
  for (const { name, unit, value } of seen) add(`${name} in a storm`, unit, value);
  add("server CPU of a storm", "ms each", (cpu() - stormCpu) * 1000 / agents);
  add("log lines of a storm", "lines", linesOf(world) - lines);
  return figures;
}

function linesOf({ server }: BenchWorld): number {
  return server.log.split("\n").length;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
