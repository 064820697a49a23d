import { readBoundedFile } from "../../../runtime/files/bounded_file.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import type { Env } from "../../../flags/program.ts";
import type { Printer } from "../../terminal.ts";
import { ManifestError, type PlannedProgram, plannedPrograms } from "../manifest/manifest.ts";
import { coloured, printable, styleFor, type TextStyle } from "../text_style.ts";
import { checkCertificates } from "./check_certificates.ts";
import type { CheckOptions } from "./check_command.ts";
import { checkEgress } from "./check_egress.ts";
import { checkFlags } from "./check_flags.ts";
import { checkKubernetes } from "./check_kubernetes.ts";
import { checkListeners } from "./check_listeners.ts";
import { checkNames } from "./check_names.ts";
import { checkPods } from "./check_pods.ts";
import { checkDns, checkReach } from "./check_reach.ts";
import { checkDescriptors, checkMemory } from "./check_resources.ts";
import { checkStatus } from "./check_status.ts";
import { checkTokens } from "./check_token.ts";
import { chapterOf, type Finding, type Outcome } from "./finding.ts";
import { partOf } from "./part.ts";

/** A file of the check's own command line cannot be used. */
export class CheckError extends Error {
  override readonly name = "CheckError";
  readonly code = "cannot-check";
}

/** `konnectivity check`. @returns 0: nothing is wrong, 1: it could not be checked, 2: something is wrong */
export async function runCheck(options: CheckOptions, printer: Printer): Promise<number> {
  const style = styleFor(Deno.stdout.isTerminal(), (name) => Deno.env.get(name));
  if (options.adopt !== "") {
    const { runAdopt } = await import("../adopt/run_adopt.ts");
    return await runAdopt(options.adopt, options, style, printer);
  }
  try {
    const env: Env = (name) => Deno.env.get(name);
    const findings = await findingsOf(options, env);
    for (const line of linesOf(findings, options, style)) printer.out(line);
    return findings.some(({ outcome }) => outcome === "failed" || outcome === "warning") ? 2 : 0;
  } catch (error) {
    if (!(error instanceof CheckError) && !(error instanceof ManifestError)) throw error;
    printer.err(`Error: ${error.message}`);
    return 1;
  }
}

/**
 * Makes all checks, those that need nothing of the network first.
 * @param env the environment that programs which run here have
 * @throws {CheckError} {@link ManifestError}
 */
export async function findingsOf(options: CheckOptions, env: Env): Promise<readonly Finding[]> {
  const { admin, timeoutMs, egressSelector } = options;
  const parsed = (await programsOf(options)).map((planned) => partOf(planned, env, exists));
  const parts = parsed.flatMap((each) => each.kind === "part" ? [each.part] : []);
  const running = admin.length === 0 ? undefined : await checkStatus(admin, timeoutMs);
  const egress = egressSelector === "" ? undefined : await readNamed("--egress-selector", egressSelector);
  return [
    ...await checkFlags(parsed),
    ...checkPods(parts),
    ...await checkCertificates(parts),
    ...await checkNames(parts, options.serverHosts),
    ...await checkTokens(parts, options.audience),
    ...(egress === undefined ? [] : checkEgress(egress, egressSelector, parts)),
    ...checkMemory(parts),
    ...checkDescriptors(parts),
    ...await checkListeners(parts, running !== undefined),
    ...await checkDns(parts, timeoutMs),
    ...await checkReach(parts, timeoutMs),
    ...await checkKubernetes(parts, running?.status, timeoutMs),
    ...running?.findings ?? [],
  ];
}

async function programsOf({ flags, manifest }: CheckOptions): Promise<readonly PlannedProgram[]> {
  return [
    ...(flags === undefined
      ? []
      : [{ role: flags.role, flags: flags.args, label: `proxy-${flags.role}`, env: {} } satisfies PlannedProgram]),
    ...(manifest === "" ? [] : plannedPrograms(await readNamed("-f", manifest), manifest)),
  ];
}

async function readNamed(flag: string, path: string): Promise<string> {
  try {
    return await readBoundedFile(path, systemClock);
  } catch (cause) {
    throw new CheckError(`${flag}: cannot read ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** Whether a file of a node is here, and may be read. */
export function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const colours = { ok: "green", warning: "yellow", failed: "red", skipped: "grey" } as const;
const columns = 9;

/** What the checks have found, as `check` shows it, for a file. */
export function checkText(findings: readonly Finding[], options: CheckOptions): readonly string[] {
  return linesOf(findings, options, { colour: false, unicode: true });
}

function linesOf(findings: readonly Finding[], { output, quiet }: CheckOptions, style: TextStyle): string[] {
  const shown = quiet ? findings.filter(({ outcome }) => outcome === "failed" || outcome === "warning") : findings;
  const count = (outcome: Outcome) => findings.filter((each) => each.outcome === outcome).length;
  const sums = { ok: count("ok"), warning: count("warning"), failed: count("failed"), skipped: count("skipped") };
  if (output === "json") {
    const checks = shown.map((each) => ({ ...each, chapter: chapterOf(each) }));
    return [JSON.stringify({ version: 1, ...sums, checks })];
  }
  const width = Math.max(0, ...shown.map(({ check }) => check.length));
  const lines = shown.flatMap((finding) => {
    const { outcome, check, subject, text } = finding;
    const word = coloured(outcome, colours[outcome], style) + " ".repeat(columns - outcome.length);
    const line = `${word}${check.padEnd(width)}  ${printable(`${subject}: ${text}`, style)}`;
    const wrong = outcome === "failed" || outcome === "warning";
    return wrong ? [line, `${" ".repeat(columns + width + 2)}see ${chapterOf(finding)}`] : [line];
  });
  if (quiet) return lines;
  return [...lines, `${sums.ok} ok, ${sums.warning} warnings, ${sums.failed} failed, ${sums.skipped} skipped`];
}
