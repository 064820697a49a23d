import type { DialResult } from "./dialler.ts";

/** An agent's dial in a server's trace. */
export interface AgentDialSpan {
  /** The dial is over; nobody may wait for its outcome any more. */
  ended(result: DialResult): void;
}

/** Traces an agent's dials. */
export interface AgentTracer {
  /**
   * A dial begins.
   * @param traceparent of the server's part of it @param tunnel its number, as in the logs of both sides
   * @returns undefined where nobody records it
   */
  dial(traceparent: string, destination: string, tunnel: bigint): AgentDialSpan | undefined;
}
