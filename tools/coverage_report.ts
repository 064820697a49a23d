/** What the tests have reached of one file. */
export interface FileCoverage {
  /** From the project's root. */
  readonly path: string;
  readonly lines: Share;
  readonly branches: Share;
}

/** So many of so many. */
export interface Share {
  readonly hit: number;
  readonly found: number;
}

/** Reads a report of lcov. @param root what its paths begin with, with a slash at the end */
export function parseLcov(text: string, root: string): FileCoverage[] {
  return text.split("end_of_record").flatMap((record) => {
    const path = /^SF:(.*)$/m.exec(record)?.[1];
    if (path === undefined || !path.startsWith(root)) return [];
    const number = (key: string) => Number(new RegExp(`^${key}:(\\d+)$`, "m").exec(record)?.[1] ?? 0);
    return [{
      path: path.slice(root.length),
      lines: { hit: number("LH"), found: number("LF") },
      branches: { hit: number("BRH"), found: number("BRF") },
    }];
  });
}

/** Adds shares up. */
export function sumOf(shares: readonly Share[]): Share {
  return {
    hit: shares.reduce((sum, { hit }) => sum + hit, 0),
    found: shares.reduce((sum, { found }) => sum + found, 0),
  };
}

/** In percent; what has nothing to reach is reached. */
export function percent({ hit, found }: Share): number {
  return found === 0 ? 100 : 100 * hit / found;
}

/** The folder that a file counts for: the room, and below it the folder of its own. */
function folderOf(path: string): string {
  return path.split("/").slice(0, -1).slice(0, 3).join("/");
}

/** A line for each folder, one for all, and the files of which the most lines are not reached. */
export function coverageTable(files: readonly FileCoverage[], leastCovered: number): string[] {
  const folders = new Map<string, FileCoverage[]>();
  for (const file of files) folders.set(folderOf(file.path), [...folders.get(folderOf(file.path)) ?? [], file]);
  const row = (name: string, of: readonly FileCoverage[]) => {
    const shown = (share: Share) => `${percent(share).toFixed(1)} %`.padStart(8);
    const lines = shown(sumOf(of.map(({ lines }) => lines)));
    return `${name.padEnd(34)} ${String(of.length).padStart(5)} ${lines} ${
      shown(sumOf(of.map(({ branches }) => branches)))
    }`;
  };
  const missing = ({ lines }: FileCoverage) => lines.found - lines.hit;
  const least = files.filter((file) => missing(file) > 0).toSorted((a, b) => missing(b) - missing(a));
  return [
    `${"folder".padEnd(34)} files    lines branches`,
    ...[...folders].toSorted(([a], [b]) => a < b ? -1 : 1).map(([name, of]) => row(name, of)),
    row("all", files),
    "",
    "lines that no test of this process reaches, by file:",
    ...least.slice(0, leastCovered).map((file) =>
      `${String(missing(file)).padStart(5)} of ${String(file.lines.found).padStart(4)}  ${file.path}`
    ),
  ];
}
