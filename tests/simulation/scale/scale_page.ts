import type { Plot, Series } from "../../bench/plot.ts";
import type { FleetSize, Recovery } from "./large_fleet.ts";
import { events, type FleetEvent } from "./recoveries.ts";
import { dayOf, defaultReviews, loadOf, type ModelledLoad } from "./scale_model.ts";

/** What was measured of a fleet. */
export interface Measured {
  readonly size: FleetSize;
  readonly recoveries: ReadonlyMap<FleetEvent, Recovery>;
}

/** Sizes that the model is asked about. */
const modelAgents = [100, 300, 1_000, 3_000, 10_000, 30_000, 50_000];
const modelServers = [3, 10, 100];
const dayFleets = [
  { servers: 3, agents: 1_000 },
  { servers: 3, agents: 10_000 },
  { servers: 10, agents: 10_000 },
  { servers: 100, agents: 50_000 },
] as const;

/** The curves of the page, by their files' names. */
export function plots(measured: readonly Measured[]): Readonly<Record<string, Plot>> {
  const real = (name: string, tokens: boolean): Series => ({
    name,
    points: measured.filter(({ size }) => size.servers === 3 && (size.reviewsPerSecond !== undefined) === tokens)
      .map(({ size, recoveries }) => [size.agents, recoveries.get("storm")?.allS ?? 0]),
  });
  const modelled = (name: string, of: (load: ModelledLoad) => number): Series => ({
    name,
    points: modelAgents.map((agents) => [agents, of(loadOf({ servers: 3, agents }))]),
  });
  const byServers = (of: (load: ModelledLoad) => number): Series[] =>
    modelServers.map((servers) => ({
      name: `${servers} servers`,
      points: modelAgents.map((agents) => [agents, of(loadOf({ servers, agents }))]),
    }));
  const xLabel = "agents";
  return {
    "storm": {
      title: "Until all agents are back after a restart of all servers",
      xLabel,
      yLabel: "s",
      series: [real("real decisions", false), modelled("model", ({ stormS }) => stormS)],
    },
    "token-storm": {
      title: `The same where tokens are reviewed, ${defaultReviews} a second`,
      xLabel,
      yLabel: "s",
      series: [real("real decisions", true), modelled("model", ({ tokenStormS }) => tokenStormS)],
    },
    "api-events": {
      title: "Events that the API sends to agents that watch leases",
      xLabel,
      yLabel: "events a second",
      series: byServers(({ apiEvents }) => apiEvents),
    },
    "memory": {
      title: "Memory of one server's links",
      xLabel,
      yLabel: "MiB",
      series: [modelled("any number of servers", ({ memoryOfServerMiB }) => memoryOfServerMiB)],
    },
  };
}

/** The page. */
export function scalePage(measured: readonly Measured[]): string {
  return `# Large fleets

Written by \`deno task simulate:scale\`. Up to 5,000 agents (15,000 links) the agents' own code decides, on virtual time:
their sets of servers, times between attempts and resolving of names. Servers are modelled: a link costs 1.6 ms of one
processor, as a storm does in [BENCHMARKS.md](../../BENCHMARKS.md), and one that gives up while it waits costs nothing. Above
that, and for memory, pings, dials and the Kubernetes API, the figures are a model's, made of measured ones. Tunnels are not
simulated here. A worker counts as a server: agents link to each.

## Until a fleet is whole again

Seconds until each agent has a link to each server: all servers restarted at once (storm), a third of them lost without a
word and replaced after two minutes (zone lost), one replaced by another (rollout). Attempts are those for each link that was
missing.

${recoveryTable(measured)}

![storm](scale-storm.svg)

![storm with tokens](scale-token-storm.svg)

## What a size costs

By the model, for each server where not said otherwise. Events are those of all servers' renewals to all agents that count
leases.

${loadTable()}

![events of the Kubernetes API](scale-api-events.svg)

![memory of links](scale-memory.svg)

## A day

One rollout of all servers, one loss of a third of them, one restart of all: by the model.

${dayTable()}

## What breaks first

1. **Reviews of tokens**, from some hundred agents on: with \`--agent-service-account\` a server reviews
   ${defaultReviews} tokens a second unless \`--kubeconfig-qps\` says otherwise, and agents give up after ten seconds and try
   again, so that a thousand take five minutes to be back, and each makes eight to ten handshakes. Raise
   \`--kubeconfig-qps\` and \`--kubeconfig-burst\` to a tenth of the agents.
2. **Watches of leases**, where there are many servers: each renewal is an event to each agent. Three servers and ten
   thousand agents are two thousand events a second, ten servers six thousand; a hundred servers and fifty thousand agents are
   three hundred thousand, more than an API server sends. Use \`--server-count\` there, or let few agents count leases.
3. **Handshakes**, at ten thousand agents: a server that starts anew works for 16 s before all are linked, and above 12,500
   some wait longer than the 20 s that they give a connection, and try again. Nothing is lost by that but time.
4. **Memory**, at twenty thousand agents: a gigabyte for links on each server.
5. **Pings**, at forty thousand: a server's processor is busy with idle links alone.

## Recommended topology

| agents           | servers | workers each | servers are counted by    | \`--kubeconfig-qps\` with tokens |
| ---------------- | ------: | -----------: | ------------------------- | -----------------------------: |
| up to 300        |  2 or 3 |            1 | leases or \`--server-count\` |                  5, the default |
| up to 3,000      |       3 |            1 | leases or \`--server-count\` |                            100 |
| up to 10,000     |       3 |       1 or 2 | leases or \`--server-count\` |                            500 |
| up to 30,000     |  3 to 5 |       1 or 2 | \`--server-count\`          |                          1,000 |
| more             |  3 to 5 |       1 or 2 | \`--server-count\`          |     fewer agents: one for many nodes |

More servers and workers make no link cheaper, since each agent links to each of them: they share dials and bytes. A cluster
needs no agent on each node; some for each zone reach the same destinations.
`;
}

function recoveryTable(measured: readonly Measured[]): string {
  const head = ["servers", "agents", "tokens", ...events.map((event) => `${event}, s`), "peak links/s", "attempts"];
  const rows = measured.map(({ size, recoveries }) => {
    const all = [...recoveries.values()];
    return [
      String(size.servers),
      count(size.agents),
      size.reviewsPerSecond === undefined ? "none" : `${size.reviewsPerSecond}/s`,
      ...events.map((event) => count(recoveries.get(event)?.allS ?? 0)),
      count(Math.max(...all.map(({ peakLinks }) => peakLinks))),
      Math.max(...all.map(({ attempts }) => attempts)).toFixed(1),
    ];
  });
  return table(head, rows);
}

function loadTable(): string {
  const head = [
    "servers",
    "agents",
    "memory, MiB",
    "idle, processors",
    "storm, s",
    "with tokens, s",
    "rollout, min",
    "API requests/s, all",
    "API events/s, all",
    "MB/s, all",
    "dials/s",
  ];
  const rows = modelServers.flatMap((servers) =>
    modelAgents.filter((agents) => agents >= 1_000).map((agents) => {
      const load = loadOf({ servers, agents });
      return [
        String(servers),
        count(agents),
        count(load.memoryOfServerMiB),
        load.idleCpuOfServer.toFixed(2),
        count(load.stormS),
        count(load.tokenStormS),
        count(load.rolloutMinutes),
        count(load.apiRequests),
        count(load.apiEvents),
        count(load.apiEventMB),
        count(load.dials),
      ];
    })
  );
  return table(head, rows);
}

function dayTable(): string {
  const head = ["servers", "agents", "links made", "API requests", "API events", "minutes in which a link is missing"];
  const rows = dayFleets.map((fleet) => {
    const day = dayOf(fleet);
    return [
      String(fleet.servers),
      count(fleet.agents),
      count(day.linksMade),
      count(day.apiRequests),
      count(day.apiEvents),
      count(day.incompleteMinutes),
    ];
  });
  return table(head, rows);
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---:")), ...rows.map(line)].join("\n");
}
