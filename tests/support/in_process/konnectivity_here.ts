import { parseKonnectivityFlags } from "../../../src/programs/konnectivity/konnectivity_flags.ts";
import { runKonnectivity } from "../../../src/programs/konnectivity/run_konnectivity.ts";
import type { KonnectivityAnswer } from "../processes/konnectivity.ts";

/** Runs `konnectivity` in this process, where its launcher and what it may do are not what a test is about. */
export async function konnectivityHere(args: readonly string[]): Promise<KonnectivityAnswer> {
  const parsed = parseKonnectivityFlags(args);
  if (parsed.kind !== "options") {
    throw new Error(`konnectivity ${args.join(" ")} is no command: ${JSON.stringify(parsed)}`);
  }
  const lines: Readonly<Record<"out" | "err", string[]>> = { out: [], err: [] };
  const code = await runKonnectivity(parsed.options, {
    out: (line) => void lines.out.push(`${line}\n`),
    err: (line) => void lines.err.push(`${line}\n`),
  });
  return { code, stdout: lines.out.join(""), stderr: lines.err.join("") };
}
