import { getLogger } from "@logtape/logtape";
import type { Owner } from "../faults/fault.ts";
import type { Clock, Deadline } from "../runtime/clock.ts";

const log = getLogger(["server", "backend"]);

/** A link that may become too old. */
export interface AgingLink extends Owner {
  readonly info: { readonly agentId: string };
  readonly tunnelCount: number;
  /** Nothing is on it. */
  readonly idle: boolean;
  /** It should get no new tunnels while there is another link. */
  retire(): void;
  closeTunnels(error: string): void;
  close(): void;
}

/** How often a link that is too old is checked, in milliseconds. */
const checkMs = 1_000;

/** Links begin together, when a server starts; they end by chance within a tenth of their age, in so many steps. */
const steps = 20;

/**
 * Ends a link at an age: it gets no new tunnels, is closed when its last one has ended, and at twice the age in any case.
 * @param random uniform in [0, 1)
 * @returns what calls it off
 */
export function limitLinkAge(maxAgeMs: number, link: AgingLink, clock: Clock, random: () => number): () => void {
  // In steps, because deadlines of one length share a timer.
  const ageMs = maxAgeMs + Math.floor(random() * steps) / steps * (maxAgeMs / 10);
  let remainingMs = ageMs;
  let limit: Deadline;
  const about = () => ({ agentId: link.info.agentId, tunnels: link.tunnelCount });
  const check = () => {
    if (link.idle) return link.close();
    if (remainingMs <= 0) {
      log.warn("the link of agent {agentId} is twice as old as --max-link-age allows, its tunnels end", about());
      link.closeTunnels("the agent's link is too old (--max-link-age)");
      return link.close();
    }
    const pause = Math.min(checkMs, remainingMs);
    remainingMs -= pause;
    limit = clock.after(pause, check, link);
  };
  limit = clock.after(ageMs, () => {
    link.retire();
    log.info("the link of agent {agentId} is as old as --max-link-age allows", about());
    check();
  }, link);
  return () => limit.cancel();
}
