import type { ProbeReport, ProbeResult } from "../../server/probes/destination_probe.ts";
import { rounded, shown } from "./status_page.ts";

/** A destination that a server probes, in its `/status`. */
export interface ProbeStatus {
  readonly destination: string;
  /** Whether the last probe reached it; absent while none has ended. */
  readonly success?: boolean;
  /** Whether it counts as reachable, as `--probe-readiness` takes it. */
  readonly reachable: boolean;
  /** Failures since the last success, or since the start. */
  readonly consecutiveFailures: number;
  readonly lastSuccess?: ProbeResultStatus;
  readonly lastFailure?: ProbeFailureStatus;
  /** With `--workers`: which of them probes. */
  readonly worker?: number;
}

/** How a probe ended. */
export interface ProbeResultStatus {
  /** ISO 8601, in UTC. */
  readonly time: string;
  /** How long it took. */
  readonly seconds: number;
  /** The id of the agent that it went through; absent where there was none. */
  readonly agent?: string;
}

/** How a probe failed. */
export interface ProbeFailureStatus extends ProbeResultStatus {
  /** As the metric of failed probes labels it. */
  readonly reason: string;
  readonly message: string;
}

export function probeStatus(report: ProbeReport): ProbeStatus {
  const { destination, success, reachable, failures, lastSuccess, lastFailure } = report;
  return {
    destination: shown(destination),
    ...(success === undefined ? {} : { success }),
    reachable,
    consecutiveFailures: failures,
    ...(lastSuccess === undefined ? {} : { lastSuccess: resultStatus(lastSuccess) }),
    ...(lastFailure === undefined ? {} : {
      lastFailure: {
        ...resultStatus(lastFailure),
        reason: lastFailure.reason,
        message: shown(lastFailure.message),
      },
    }),
  };
}

function resultStatus({ at, seconds, agent }: ProbeResult): ProbeResultStatus {
  return {
    time: new Date(at).toISOString(),
    seconds: rounded(seconds),
    ...(agent === undefined ? {} : { agent: shown(agent) }),
  };
}
