import type { ProgramStatus } from "../status/program_status.ts";

/** What every event of `/events` says. */
export interface EventBase<Type extends string> {
  readonly type: Type;
  /** ISO 8601, in UTC. */
  readonly time: string;
}

/** The first event of each watch. It has no number. */
export interface HelloEvent extends EventBase<"hello"> {
  /** Of the form of these events: it changes when something is taken away or means something else. */
  readonly version: 1;
  readonly program: Pick<ProgramStatus["program"], "name" | "version" | "startedAt">;
  /** The server's or the agent's own id. */
  readonly id: string;
  readonly ready: boolean;
  /** Why it should get no traffic; absent when it should. */
  readonly notReady?: string;
}

/** Events that this watch should have had are missing here. It has no number. */
export interface LostEvent extends EventBase<"lost"> {
  readonly count: number;
  /** With `--workers`: which of them could not hand them to the command, whatever this watch asks for. */
  readonly worker?: number;
}

/** The program became ready, or stopped being so. */
export interface ReadinessEvent extends EventBase<"readiness"> {
  readonly ready: boolean;
  readonly notReady?: string;
}

/** Why a dial has no connection, or that it has one. */
export interface DialOutcome {
  readonly outcome: "ok" | "failed";
  /** Since it began. */
  readonly ms: number;
  /** As the metric of failed dials labels it; absent when it is ok. */
  readonly reason?: string;
  readonly message?: string;
}

/**
 * What filters read of an event and what becomes its line. Events of both programs are of this form; see `server_event.ts`
 * and `agent_event.ts`.
 */
export interface ProgramEvent<Type extends string = string> extends EventBase<Type> {
  readonly agent?: string;
  readonly server?: string;
  readonly client?: { readonly name: string; readonly address: string };
  readonly destination?: string;
  readonly outcome?: DialOutcome["outcome"];
}

/** Takes the events that a program makes. */
export interface EventOutlet {
  /** Whether somebody watches events of this type: nothing is made of one that nobody does. */
  wants(type: string): boolean;
  publish(event: ProgramEvent): void;
}

/** For a program that nobody can watch. */
export const noOutlet: EventOutlet = { wants: () => false, publish: () => {} };

/** Milliseconds as events show them. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e3;
}
