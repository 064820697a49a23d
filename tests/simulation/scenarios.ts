import { faultKinds, fleetFaults } from "./faults/fault_plan.ts";
import type { Scenario } from "./plan.ts";

const common = { links: ["direct"], frontends: ["grpc"], kinds: fleetFaults, seconds: 30 } as const;

/** The kinds of runs that there are. */
export const scenarios: readonly Scenario[] = [
  { ...common, name: "one", servers: 1, agents: 1, tunnels: 10, faults: 0 },
  { ...common, name: "small", servers: 1, agents: 2, tunnels: 20, faults: 3 },
  { ...common, name: "middle", servers: 3, agents: 8, tunnels: 200, faults: 20, frontends: ["grpc", "connect"] },
  {
    ...common,
    name: "leases",
    servers: 3,
    agents: 3,
    tunnels: 20,
    faults: 8,
    leases: true,
    kinds: faultKinds,
    seconds: 90,
    drift: 0.001,
    skewSeconds: 120,
  },
];

/** @throws where there is none of that name */
export function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) {
    throw new Error(`there is no scenario ${name}: ${scenarios.map((one) => one.name).join(", ")}`);
  }
  return found;
}
