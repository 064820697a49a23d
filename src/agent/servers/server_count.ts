/** Counts servers independently of their own reports, for instance by leases. Provided by the composition. */
export interface ServerCounter {
  /** Servers now; 0 when none are known. */
  count(): number;
  /** Calls back whenever the count may have changed. */
  onChange(listener: () => void): void;
}

/** Which count decides where there is a {@link ServerCounter}: it alone, or the larger one. */
export type ServerCountSource = "default" | "max";

/**
 * How many servers the agent should be linked to.
 * @param responses the largest count that a server reported; 0 when none has reported
 * @param counted the counter's count; undefined when there is none
 */
export function aggregateServerCount(
  source: ServerCountSource,
  responses: number,
  counted: number | undefined,
): number {
  const reported = Math.max(1, responses);
  if (counted === undefined) return reported;
  return Math.max(1, source === "max" ? Math.max(reported, counted) : counted);
}
