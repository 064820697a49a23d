import { linkWorkMs } from "./model_server.ts";

/** What a fleet is, for the model: servers count with each of their workers, since agents link to each. */
export interface ModelledFleet {
  readonly servers: number;
  readonly agents: number;
}

/** Measured figures that the model stands on. */
export const measured = {
  /** Server memory of one agent's link, in KiB (BENCHMARKS.md, a thousand agents, direct links). */
  linkKiB: 50,
  /** Part of a processor that an idle link costs a server: pings (BENCHMARKS.md, a thousand agents). */
  idleLinkCpu: (0.029 - 0.0075) / 1000,
  /** What a dial costs a server, in milliseconds of a processor (BENCHMARKS.md, "dial x32"). */
  dialMs: 0.3,
  /** A lease as the API sends it to one that watches, in bytes. */
  leaseBytes: 700,
} as const;

/** How often a server renews its lease, and lists all, in seconds: with what chance adds. */
const renewS = 15.3;
const listS = 15;
/** How long a watch lasts, in seconds: 300 to 600. */
const watchS = 450;
/** A complete set asks a server again after so long, in seconds: 60 to 90, where there are no leases. */
const recheckS = 75;
/** How many reviews of tokens a server makes in a second by default: `--kubeconfig-qps`. */
export const defaultReviews = 5;
/** Reviews are made for agents that may give up behind them: with the real decisions it takes so many times as long. */
const reviewOverhead = 1.5;
/** What a storm takes beyond the work: times between attempts, in seconds. */
const retryS = 3;

/** What a fleet of a size costs. */
export interface ModelledLoad {
  readonly linksOfServer: number;
  readonly memoryOfServerMiB: number;
  /** Processors that a server's idle links take. */
  readonly idleCpuOfServer: number;
  /** Seconds until all agents are back after a server has started anew: without tokens, and with tokens at the default rate. */
  readonly stormS: number;
  readonly tokenStormS: number;
  /** Requests to the Kubernetes API in a second: with leases, all together. */
  readonly apiRequests: number;
  /** Events that the API sends to agents that watch leases, in a second, and bytes. */
  readonly apiEvents: number;
  readonly apiEventMB: number;
  /** Handshakes of a server in a second that only ask how many servers there are; where there are no leases. */
  readonly recheckLinks: number;
  /** How long a rollout of all servers takes, one after the other, in minutes: each drains for half a minute and starts in five seconds. */
  readonly rolloutMinutes: number;
  /** Dials a second that a server has processor time for, beside its idle links. */
  readonly dials: number;
}

export function loadOf({ servers, agents }: ModelledFleet): ModelledLoad {
  const stormS = agents * linkWorkMs / 1000 + retryS;
  const apiEvents = servers / renewS * agents;
  return {
    linksOfServer: agents,
    memoryOfServerMiB: agents * measured.linkKiB / 1024,
    idleCpuOfServer: agents * measured.idleLinkCpu,
    stormS,
    tokenStormS: Math.max(stormS, reviewOverhead * agents / defaultReviews),
    apiRequests: servers / renewS + servers / listS + agents / watchS,
    apiEvents,
    apiEventMB: apiEvents * measured.leaseBytes / 1e6,
    recheckLinks: agents / recheckS / servers,
    rolloutMinutes: servers * (35 + stormS) / 60,
    dials: Math.max(0, (1 - agents * measured.idleLinkCpu) * 1000 / measured.dialMs),
  };
}

/** What a day comes to: steady, one rollout of all servers, a third of them lost once, and all restarted once. */
export interface ModelledDay {
  readonly linksMade: number;
  readonly apiRequests: number;
  readonly apiEvents: number;
  /** Minutes in which some agent lacks some server. */
  readonly incompleteMinutes: number;
}

const secondsOfDay = 86_400;

export function dayOf(fleet: ModelledFleet): ModelledDay {
  const { servers, agents } = fleet;
  const load = loadOf(fleet);
  return {
    linksMade: agents * servers * (1 + 1 + Math.ceil(servers / 3) / servers),
    apiRequests: load.apiRequests * secondsOfDay,
    apiEvents: load.apiEvents * secondsOfDay,
    incompleteMinutes: load.rolloutMinutes + (2 * load.stormS + 30) / 60,
  };
}
