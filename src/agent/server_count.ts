/** Counts servers by another way than their own word, such as leases. Handed in by the composition. */
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
 * @param responses what the servers say of themselves; 0 when none has said anything
 * @param counted what the counter says; undefined when there is none
 */
export function aggregateServerCount(
  source: ServerCountSource,
  responses: number,
  counted: number | undefined,
): number {
  const said = Math.max(1, responses);
  if (counted === undefined) return said;
  return Math.max(1, source === "max" ? Math.max(said, counted) : counted);
}
