/** A length of time in at most five signs, rounded: `9.8ms`, `250ms`, `3.2s`, `47s`, `12m`, `5h`, `40d`. */
export function shortSpan(seconds: number): string {
  const ms = Math.max(0, seconds * 1000);
  if (ms < 9.95) return `${Number(ms.toFixed(1))}ms`;
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))}s`;
  const units = [["s", 1, 59.5], ["m", 60, 59.5 * 60], ["h", 3_600, 47.5 * 3_600]] as const;
  for (const [unit, length, below] of units) {
    if (seconds < below) return `${Math.round(seconds / length)}${unit}`;
  }
  return `${Math.round(seconds / 86_400)}d`;
}

/** Bytes in at most five signs, rounded: `517B`, `4.0K`, `512K`, `1.2M`; each letter is 1,024 of the one before. */
export function shortSize(bytes: number): string {
  if (bytes < 1_000) return `${bytes}B`;
  let value = bytes;
  for (const unit of ["K", "M", "G", "T"] as const) {
    value /= 1_024;
    if (value < 9.95) return `${value.toFixed(1)}${unit}`;
    if (value < 999.5) return `${Math.round(value)}${unit}`;
  }
  return `${(value / 1_024).toFixed(1)}P`;
}
