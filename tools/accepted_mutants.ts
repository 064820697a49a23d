import { type Mutant, mutantsOf, mutated } from "./mutants.ts";
import { root } from "./binaries.ts";

/** What mutants of a source no test has to notice, by the reason: each as its line and what the line becomes. */
export type Accepted = Readonly<Record<string, Readonly<Record<string, readonly (readonly [string, string])[]>>>>;

/** Where they stand: a file for each folder of sources. */
const folder = `${root}/tools/accepted_mutants`;

/** A mutant as it stands among the accepted ones. */
export function changeOf(text: string, mutant: Mutant): readonly [was: string, becomes: string] {
  const line = (of: string) => (of.split("\n")[mutant.line - 1] ?? "").trim();
  return [line(text), line(mutated(text, mutant))];
}

/** All accepted mutants, of all sources. */
export async function readAccepted(): Promise<Accepted> {
  const all: Record<string, Accepted[string]> = {};
  for await (const { name } of Deno.readDir(folder)) {
    Object.assign(all, JSON.parse(await Deno.readTextFile(`${folder}/${name}`)));
  }
  return all;
}

/** Whether a mutant of a source is among the accepted ones. */
export function isAccepted(accepted: Accepted, file: string, text: string, mutant: Mutant): boolean {
  const [was, becomes] = changeOf(text, mutant);
  return Object.values(accepted[file] ?? {}).some((some) => some.some(([a, b]) => a === was && b === becomes));
}

/** Those accepted mutants that the source no longer has. */
export function outdated(accepted: Accepted, file: string, text: string): string[] {
  const changes = new Set(mutantsOf(text).map((mutant) => changeOf(text, mutant).join(" -> ")));
  return Object.values(accepted[file] ?? {}).flat().map((change) => change.join(" -> ")).filter((change) =>
    !changes.has(change)
  );
}
