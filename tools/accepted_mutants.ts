import { type Mutant, mutantsOf, mutated } from "./mutants.ts";
import { root } from "./binaries.ts";

/** Mutants of a source that no test has to notice: each as its line, and what the line becomes. */
export type Accepted = ReadonlyMap<string, readonly (readonly [was: string, becomes: string])[]>;

/**
 * Where they stand: texts of lines, each two blanks further in than what it belongs to: a source's path, why its mutants need
 * not be noticed, the line that is changed, and each form that it may take.
 */
const folder = `${root}/tools/accepted_mutants`;

/** A mutant as it stands among the accepted ones. */
export function changeOf(text: string, mutant: Mutant): readonly [was: string, becomes: string] {
  const line = (of: string) => (of.split("\n")[mutant.line - 1] ?? "").trim();
  return [line(text), line(mutated(text, mutant))];
}

/** All accepted mutants, of all sources. */
export async function readAccepted(): Promise<Accepted> {
  const texts = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => Deno.readTextFile(`${folder}/${name}`));
  return new Map((await Promise.all(texts)).flatMap((text) => [...parseAccepted(text)]));
}

/** Reads one of the texts. @throws {TypeError} where a line does not belong to one before it */
export function parseAccepted(text: string): Accepted {
  const found = new Map<string, [string, string][]>();
  const path: string[] = [];
  for (const line of text.split("\n").filter((line) => line.trim() !== "")) {
    const depth = line.search(/\S/) / 2;
    if (depth > path.length || depth > 3 || !Number.isInteger(depth)) {
      throw new TypeError(`belongs to nothing: ${line}`);
    }
    path.splice(depth, path.length, line.trim());
    const [file = "", , was = "", becomes] = path;
    if (becomes !== undefined) found.set(file, [...found.get(file) ?? [], [was, becomes]]);
  }
  return found;
}

/** Whether a mutant of a source is among the accepted ones. */
export function isAccepted(accepted: Accepted, file: string, text: string, mutant: Mutant): boolean {
  const [was, becomes] = changeOf(text, mutant);
  return accepted.get(file)?.some(([a, b]) => a === was && b === becomes) ?? false;
}

/** Those accepted mutants that the source no longer has. */
export function outdated(accepted: Accepted, file: string, text: string): string[] {
  const changes = new Set(mutantsOf(text).map((mutant) => changeOf(text, mutant).join(" -> ")));
  return (accepted.get(file) ?? []).map((change) => change.join(" -> ")).filter((change) => !changes.has(change));
}
