import { basename } from "node:path";
import type { Env } from "../../../flags/program.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { readBoundedFile } from "../../../runtime/files/bounded_file.ts";
import { version } from "../../version.ts";
import { checkStatus } from "../check/check_status.ts";
import type { Finding } from "../check/finding.ts";
import { checkText, findingsOf } from "../check/run_check.ts";
import { plannedPrograms } from "../manifest/manifest.ts";
import type { DiagOptions } from "./diag_command.ts";
import { type DiagPart, jsonFile, MissingError, textFile } from "./diag_part.ts";
import { plainFlags, plainText } from "./plain_flags.ts";
import type { DiagTarget } from "./program_parts.ts";
import { fileName, type TarEntry } from "./tar_writer.ts";

/** What is taken of the end of a log, in bytes. */
const logBytes = 8 * 1024 * 1024;

/** What is gathered of this machine, and of the command line. */
export function localParts(options: DiagOptions, targets: readonly DiagTarget[], env: Env): readonly DiagPart[] {
  const { check, logs } = options;
  const hasInputs = check.flags !== undefined || check.manifest !== "";
  return [
    { what: "versions", gather: async () => [jsonFile("versions.json", await versions(targets))] },
    ...(hasInputs
      ? [{ what: "configuration", gather: async () => [jsonFile("configuration.json", await configuration(options))] }]
      : []),
    ...logs.map((path, at): DiagPart => ({
      what: `log ${path}`,
      gather: async () => [{ name: `logs/${at + 1}-${fileName(basename(path))}`, pieces: [await logTail(path)] }],
    })),
    ...(hasInputs || check.egressSelector !== "" || targets.length > 0
      ? [{ what: "checks", gather: () => checks(options, targets, env) }]
      : []),
  ];
}

async function versions(targets: readonly DiagTarget[]) {
  const { state } = await Deno.permissions.query({ name: "sys", kind: "osRelease" });
  return {
    version: 1,
    time: new Date().toISOString(),
    konnectivity: version,
    runtime: { deno: Deno.version.deno, v8: Deno.version.v8 },
    system: {
      os: Deno.build.os,
      arch: Deno.build.arch,
      ...(state === "granted" ? { release: Deno.osRelease() } : {}),
    },
    // Those of a program's own runtime are in its metrics, as build_info.
    programs: targets.map(({ folder, status }) => ({ folder, ...status?.status.program })),
  };
}

/** Command lines as they were given, without what is secret; of a manifest nothing but them. */
async function configuration({ check: { flags, manifest, egressSelector } }: DiagOptions) {
  const programs = manifest === "" ? [] : plannedPrograms(await readBoundedFile(manifest, systemClock), manifest).map((
    { label, role, flags: given, env },
  ) => ({
    label,
    role,
    flags: plainFlags(given),
    // Values of variables may be secrets, and their names are none.
    variables: Object.keys(env),
  }));
  return {
    version: 1,
    ...(flags === undefined ? {} : { commandLine: { role: flags.role, flags: plainFlags(flags.args) } }),
    ...(manifest === "" ? {} : { manifest: { path: manifest, programs } }),
    ...(egressSelector === "" ? {} : { egressSelector }),
  };
}

/** The end of a log, from the beginning of a line on. @throws {MissingError} */
export async function logTail(path: string, atMostBytes: number = logBytes): Promise<Uint8Array> {
  try {
    const { isFile, size } = await Deno.stat(path);
    // A pipe would be waited for, and a device may go on for ever.
    if (!isFile) throw new MissingError(`${path} is no regular file`);
    using file = await Deno.open(path);
    const from = Math.max(0, size - atMostBytes);
    await file.seek(from, Deno.SeekMode.Start);
    const bytes = new Uint8Array(Math.min(size, atMostBytes));
    let length = 0;
    while (length < bytes.length) {
      const read = await file.read(bytes.subarray(length));
      if (read === null) break;
      length += read;
    }
    const taken = bytes.subarray(0, length);
    const cut = from === 0 ? 0 : taken.indexOf(0x0a) + 1;
    const text = new TextDecoder().decode(taken.subarray(cut));
    const whole = from === 0 ? text : `[${from + cut} bytes before this are left out]\n${text}`;
    return new TextEncoder().encode(plainText(whole));
  } catch (error) {
    if (error instanceof MissingError) throw error;
    if (error instanceof Deno.errors.NotFound) throw new MissingError(`${path} is not there`);
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new MissingError(`${path} may not be read by this user: permission denied`);
    }
    throw error;
  }
}

async function checks(options: DiagOptions, targets: readonly DiagTarget[], env: Env): Promise<readonly TarEntry[]> {
  const { check, timeoutMs } = options;
  const findings: Finding[] = [];
  // A command line is that of a program that runs, where there is one of its kind.
  const own = targets.find(({ status }) => status?.kind === check.flags?.role);
  const given = check.flags !== undefined || check.manifest !== "" || check.egressSelector !== "";
  if (given) findings.push(...await findingsOf({ ...check, admin: own === undefined ? [] : [own.admin] }, env));
  for (const target of targets) {
    if (target.status === undefined || (given && target === own)) continue;
    findings.push(...(await checkStatus([target.admin], timeoutMs)).findings);
  }
  const form = { ...check, quiet: false };
  return [
    textFile("check.txt", plainText(`${checkText(findings, { ...form, output: "text" }).join("\n")}\n`)),
    textFile("check.json", plainText(`${checkText(findings, { ...form, output: "json" }).join("\n")}\n`)),
  ];
}
