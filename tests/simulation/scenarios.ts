import { faultKinds, fleetFaults } from "./faults/fault_plan.ts";
import type { Scenario } from "./plan.ts";

/** A few servers and agents, all of whose faults are those of hosts and connections. */
const small: Omit<Scenario, "name"> = {
  servers: 2,
  agents: 3,
  tunnels: 30,
  faults: 5,
  seconds: 30,
  links: ["direct"],
  frontends: ["grpc", "connect"],
  kinds: fleetFaults,
};

/** The kinds of runs that there are. A line says what is different. */
export const scenarios: readonly Scenario[] = [
  { ...small, name: "sound", faults: 0, links: ["direct", "pinged"] },
  { ...small, name: "one", servers: 1, agents: 1, tunnels: 10, faults: 2 },
  { ...small, name: "small" },
  { ...small, name: "middle", servers: 3, agents: 8, tunnels: 200, faults: 20 },
  { ...small, name: "pinged", links: ["pinged"] },
  { ...small, name: "legacy", links: ["legacy"], mostBytes: 300_000 },
  { ...small, name: "mixed", agents: 4, links: ["direct", "pinged", "legacy"], mostBytes: 300_000 },
  { ...small, name: "balancer", entry: "balancer", faults: 4 },
  { ...small, name: "renewed", serverLinkAge: 60, seconds: 100, faults: 2, links: ["direct", "pinged"] },
  { ...small, name: "renewing", agentLinkAge: 6, faults: 2, links: ["direct", "pinged"] },
  {
    ...small,
    name: "far",
    delayMs: [80, 300],
    faults: 3,
    links: ["direct", "pinged"],
    mostBytes: 4_000_000,
    tunnels: 15,
  },
  { ...small, name: "near", delayMs: [0.01, 0.5], mostBytes: 4_000_000, tunnels: 20 },
  { ...small, name: "narrow", bytesPerMs: [20, 200], bufferBytes: [2_048, 16_384], mostBytes: 200_000, tunnels: 20 },
  {
    ...small,
    name: "crowded",
    servers: 1,
    agents: 1,
    tunnels: 150,
    faults: 2,
    seconds: 12,
    links: ["direct", "pinged", "legacy"],
    mostBytes: 300_000,
  },
  { ...small, name: "very far", delayMs: [300, 1_000], tunnels: 15, faults: 2, links: ["direct", "pinged"] },
  { ...small, name: "long", seconds: 600, tunnels: 60, faults: 30, links: ["direct", "pinged"] },
  { ...small, name: "library", frontends: ["library"], tunnels: 20 },
  { ...small, name: "chosen", strategies: ["destHost", "defaultRoute", "default"] },
  { ...small, name: "probed", probeEvery: 1 },
  { ...small, name: "scarce", growthBytes: 512 * 1024, delayMs: [10, 100], mostBytes: 3_000_000 },
  { ...small, name: "drifting", drift: 0.01, skewSeconds: 600 },
  {
    ...small,
    name: "leases",
    servers: 3,
    tunnels: 20,
    faults: 8,
    leases: true,
    kinds: faultKinds,
    seconds: 90,
    drift: 0.001,
    skewSeconds: 120,
  },
  {
    ...small,
    name: "behind leases",
    servers: 3,
    tunnels: 20,
    faults: 6,
    leases: true,
    entry: "balancer",
    kinds: faultKinds,
    seconds: 120,
  },
];

/** @throws where there is none of that name */
export function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found !== undefined) return found;
  throw new Error(`there is no scenario ${name}, only ${scenarios.map((one) => one.name).join(", ")}`);
}
