/** How a part of a program is; `Inactive`: there is nothing to judge, or nothing to do. */
export type Health = "Healthy" | "Degraded" | "Down" | "Inactive";

/** One line of a status, with what belongs to it. */
export interface StatusLine {
  readonly health: Health;
  /** What it is about. */
  readonly name: string;
  readonly text: string;
  /** What to do about it, where it is not as it should be. */
  readonly action?: string;
  readonly children?: readonly StatusLine[];
}

const gravity: Readonly<Record<Health, number>> = { Inactive: 0, Healthy: 1, Degraded: 2, Down: 3 };

/** The worst of several; `Inactive` where there is none. */
export function worst(all: Iterable<Health>): Health {
  let found: Health = "Inactive";
  for (const each of all) if (gravity[each] > gravity[found]) found = each;
  return found;
}

/** Whether somebody should look at it. */
export function isWrong(health: Health): boolean {
  return gravity[health] >= gravity.Degraded;
}

/** A heading whose health is that of what is below it. */
export function heading(name: string, text: string, children: readonly StatusLine[]): StatusLine {
  return { health: worst(children.map(({ health }) => health)), name, text, children };
}

/**
 * The first entries of a list, those that are wrong before others, and how many there are beside them.
 * @param matched entries of the list, shown or not
 */
export function listed(lines: readonly StatusLine[], matched: number, limit: number): readonly StatusLine[] {
  const ordered = [...lines.filter(({ health }) => isWrong(health)), ...lines.filter(({ health }) => !isWrong(health))];
  const shown = ordered.slice(0, limit);
  const hidden = matched - shown.length;
  if (hidden <= 0) return shown;
  return [...shown, { health: "Inactive", name: "...", text: `${hidden} more: --all shows them` }];
}

/** A length of time in its two largest units: `3d 4h`, `12m 5s`, `0.4s`. */
export function span(seconds: number): string {
  if (seconds < 10) return `${Math.max(0, Math.round(seconds * 10) / 10)}s`;
  const units = [["d", 86_400], ["h", 3_600], ["m", 60], ["s", 1]] as const;
  let rest = Math.round(seconds);
  const parts: string[] = [];
  for (const [unit, length] of units) {
    const count = Math.floor(rest / length);
    rest -= count * length;
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.filter((part) => !part.startsWith("0")).join(" ");
}

/** Bytes in the largest unit of which there is one. */
export function size(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;
  let value = bytes;
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}

/** A number of things: `1 tunnel`, `2 tunnels`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
