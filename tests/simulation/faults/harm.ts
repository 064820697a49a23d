import { hosts } from "../processes/ports.ts";

/** How long a link that is dead without a word may stay unnoticed, in milliseconds, with what follows from it. */
export const noticedMs = 35_000;

/** A stretch of time in which connections of a host, or between two hosts, may have been broken. */
interface Harm {
  readonly a: string;
  /** Absent: any. */
  readonly b: string | undefined;
  readonly fromMs: number;
  untilMs: number;
  /** Whoever is at the other end learns of it late. */
  readonly silent: boolean;
}

/** How long an agent may be away, and what follows from it concern dials, in milliseconds. */
const awayMs = 60_000;

/** What the faults of a run may have broken: everything else must work. */
export class HarmLog {
  readonly #harms: Harm[] = [];
  readonly #drains: Harm[] = [];
  readonly #dials: { readonly fromMs: number; readonly untilMs: number }[] = [];
  readonly #unlinked = new Map<string, { readonly fromMs: number; untilMs: number }[]>();

  /** Connections of a host may break from now until then. @returns what sets the end, where it is not known yet */
  add(fromMs: number, untilMs: number, a: string, b?: string, silent = false): (untilMs: number) => void {
    const harm: Harm = { a, b, fromMs, untilMs, silent };
    this.#harms.push(harm);
    return (until) => {
      harm.untilMs = until;
    };
  }

  /** An agent takes no dials from now until then, in order. */
  addDrain(fromMs: number, untilMs: number, agent: string): void {
    this.#drains.push({ a: agent, b: undefined, fromMs, untilMs, silent: false });
  }

  /** Dials may have failed, and nothing else. */
  addForDials(fromMs: number, untilMs: number): void {
    this.#dials.push({ fromMs, untilMs });
  }

  /** No agent has found a server yet that started now. @returns what sets when the first one has */
  addUnlinked(fromMs: number, server: string): (untilMs: number) => void {
    const stretch = { fromMs, untilMs: Infinity };
    this.#unlinked.set(server, [...this.#unlinked.get(server) ?? [], stretch]);
    return (until) => {
      stretch.untilMs = Math.min(stretch.untilMs, until);
    };
  }

  /** Whether a tunnel may have been broken that went this way in this time. */
  mayHaveHit(server: string, agents: readonly string[], fromMs: number, untilMs: number): boolean {
    const pairs: (readonly [string, string])[] = [[hosts.clients, server]];
    for (const agent of agents) pairs.push([server, agent], [agent, hosts.cluster]);
    return this.#harms.some((harm) =>
      harm.fromMs <= untilMs && harm.untilMs >= fromMs && pairs.some((pair) => concerns(harm, pair))
    );
  }

  /** Whether something was wrong with a host, or with the way to it. */
  concerned(host: string, fromMs: number, untilMs: number): boolean {
    return this.#harms.some((harm) =>
      harm.fromMs <= untilMs && harm.untilMs >= fromMs && (harm.a === host || harm.b === host)
    );
  }

  /**
   * Whether a dial through a server may have failed: something was wrong with the server, with the way to it, or behind an agent;
   * or no agent was left that nothing was wrong with, or none had found the server. One dead link is noticed before the dial has
   * failed, two may not be.
   */
  dialMayFail(server: string, agents: readonly string[], fromMs: number, untilMs: number): boolean {
    const isNow = (harm: { readonly fromMs: number; readonly untilMs: number }) =>
      harm.fromMs <= untilMs && harm.untilMs + awayMs >= fromMs;
    if (this.#dials.some(isNow)) return true;
    const unlinked = this.#unlinked.get(server) ?? [];
    if (unlinked.some((stretch) => stretch.fromMs <= untilMs && stretch.untilMs >= fromMs)) return true;
    const hit = new Set<string>();
    let silent = 0;
    for (const harm of [...this.#harms, ...this.#drains].filter(isNow)) {
      const { a, b } = harm;
      if ((b === undefined && a === server) || concerns(harm, [hosts.clients, server])) return true;
      if (a === hosts.cluster || b === hosts.cluster) return true;
      const agent = agents.find((host) => b === undefined ? a === host : concerns(harm, [server, host]));
      if (agent === undefined) continue;
      hit.add(agent);
      if (harm.silent) silent++;
    }
    return hit.size >= agents.length || silent > 1;
  }
}

function concerns({ a, b }: Harm, [x, y]: readonly [string, string]): boolean {
  if (b === undefined) return a === x || a === y;
  return (a === x && b === y) || (a === y && b === x);
}
