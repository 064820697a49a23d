import { plotSvg } from "../plot.ts";
import type { SoakCounts } from "./soak_load.ts";
import type { SoakMode } from "./soak_world.ts";

/** What one process holds. */
interface Held {
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** The figures of one world at the end of a minute. */
export interface SoakMinute {
  readonly at: number;
  readonly server: Held;
  /** The agent that nothing is done to. */
  readonly agent: Held;
}

/** All of one world. */
export interface SoakFigures {
  readonly mode: SoakMode;
  readonly minutes: readonly SoakMinute[];
  readonly counts: SoakCounts;
}

const roles = ["server", "agent"] as const;
/** A process warms up for so many minutes. */
const warmMinutes = 10;
/** It has grown where the median of its last minutes is beyond that of as many after warm-up by this. */
const growthFactor = 1.15;
const growthMiB = 20;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

/** What grew, by a median of the last minutes and of the first behind warm-up; a short soak shows nothing of it. */
export function growthFault(mode: SoakMode, minutes: readonly SoakMinute[]): string[] {
  const warm = minutes.slice(warmMinutes);
  const part = Math.floor(warm.length / 4);
  if (part < 5) return [];
  const between = (of: (minute: SoakMinute) => number) =>
    [median(warm.slice(0, part).map(of)), median(warm.slice(-part).map(of))] as const;
  return roles.flatMap((role) => {
    const [early, late] = between((minute) => minute[role].rssMiB);
    const [opened, open] = between((minute) => minute[role].descriptors);
    return [
      ...(late > early * growthFactor && late > early + growthMiB
        ? [`${mode} ${role} grew from ${Math.round(early)} to ${Math.round(late)} MiB`]
        : []),
      ...(open > 2 * opened + 20 ? [`${mode} ${role} had ${opened} descriptors and has ${open}`] : []),
    ];
  });
}

/** Writes curves and figures into a folder. */
export async function writeSoak(folder: string, all: readonly SoakFigures[]): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (
    const [file, title, unit, of] of [
      ["memory.svg", "resident memory", "MiB", ({ rssMiB }: Held) => rssMiB],
      ["descriptors.svg", "open descriptors", "descriptors", ({ descriptors }: Held) => descriptors],
    ] as const
  ) {
    const series = all.flatMap(({ mode, minutes }) =>
      roles.map((role) => ({
        name: `${mode}, ${role}`,
        points: minutes.map((minute) => [minute.at, of(minute[role])] as const),
      }))
    );
    await Deno.writeTextFile(
      `${folder}/${file}`,
      plotSvg({ title: `Soak: ${title}`, xAxis: "linear", xLabel: "minutes", yLabel: unit, series }),
    );
  }
  await Deno.writeTextFile(`${folder}/figures.json`, `${JSON.stringify(all, null, 1)}\n`);
}
