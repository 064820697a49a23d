import { formatDuration } from "./duration.ts";
import { quote } from "./flag_error.ts";
import { type FileProbe, missing } from "./file_probe.ts";

/** Whether options that could be parsed can be used. */
export type Validation =
  | { readonly kind: "ok"; /** Warnings for the operator. */ readonly warnings: readonly string[] }
  | { readonly kind: "refused"; readonly message: string };

/** A rule's outcome: what is wrong, or undefined. */
export type Fault = string | undefined;

/** Ports above are the system's to give out. */
export const highestListenPort = 49151;
/** Ports below need privileges. */
export const lowestListenPort = 1024;

/** A key and its certificate: both or neither, and their files exist. @param kind `server`, `cluster` or `agent` */
export async function pairFault(kind: string, key: string, cert: string, probe: FileProbe): Promise<Fault> {
  if (key !== "") {
    if (await isMissing(key, probe)) return `error checking ${kind} key ${key}, got ${missing(key)}`;
    if (cert === "") return `cannot have ${kind} cert empty when ${kind} key is set to ${quote(key)}`;
  }
  if (cert !== "") {
    if (await isMissing(cert, probe)) return `error checking ${kind} cert ${cert}, got ${missing(cert)}`;
    if (key === "") return `cannot have ${kind} key empty when ${kind} cert is set to ${quote(cert)}`;
  }
  return undefined;
}

/** Whether a path is set and leads nowhere. */
export async function isMissing(path: string, probe: FileProbe): Promise<boolean> {
  return path !== "" && (await probe(path)).kind === "missing";
}

/** The first of the files, by flag, that is set and cannot be read. */
export async function unreadableFault(files: Readonly<Record<string, string>>, probe: FileProbe): Promise<Fault> {
  for (const [flag, path] of Object.entries(files)) {
    if (path === "") continue;
    const state = await probe(path);
    if (state.kind === "unreadable") return `--${flag}: cannot read ${path}: ${state.why}`;
    if (state.kind === "missing") return `--${flag}: cannot read ${path}: no such file or directory`;
  }
  return undefined;
}

/** The first of the durations, by flag, that is negative. */
export function negativeFault(durations: Readonly<Record<string, number>>): Fault {
  for (const [flag, milliseconds] of Object.entries(durations)) {
    if (milliseconds < 0) return `--${flag} must be >= 0, got ${formatDuration(milliseconds)}`;
  }
  return undefined;
}

/** The first of the durations, by flag, that is negative or nothing at all: it would make a loop spin. */
export function notPositiveFault(durations: Readonly<Record<string, number>>): Fault {
  for (const [flag, milliseconds] of Object.entries(durations)) {
    if (milliseconds <= 0) return `--${flag} must be greater than 0, got ${formatDuration(milliseconds)}`;
  }
  return undefined;
}

/** Where one of a program's listeners listens; an empty host means everywhere. */
export interface Listener {
  readonly flag: string;
  readonly host: string;
  readonly port: number;
}

/** Two listeners that would meet on one port of one address. */
export function sharedPortFault(listeners: readonly Listener[]): Fault {
  for (const [index, one] of listeners.entries()) {
    const other = listeners.slice(index + 1).find((each) => each.port === one.port && meet(each.host, one.host));
    if (other !== undefined) return `--${one.flag} and --${other.flag} must not both be ${one.port}`;
  }
  return undefined;
}

const everywhere: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "[::]"]);

function meet(one: string, other: string): boolean {
  return one === other || everywhere.has(one) || everywhere.has(other);
}

/** What the system takes as the path of a Unix socket, in bytes; of a longer one it says EINVAL and no more. */
const longestSocketPath = 107;

/** Says which path of a Unix socket is too long. */
export function socketPathFault(flag: string, path: string): Fault {
  const { length } = new TextEncoder().encode(path);
  if (length <= longestSocketPath) return undefined;
  return `${flag} has ${length} bytes, and the path of a Unix socket has at most ${longestSocketPath}`;
}

/** Ids travel in HTTP headers, so they are printable ASCII. */
export function idFault(flag: string, id: string): Fault {
  if (/^[\x20-\x7e]*$/.test(id)) return undefined;
  return `--${flag} must be printable ASCII, as it travels in a header, got ${quote(id)}`;
}

/** Heap snapshots are one of the profiles. */
export function heapSnapshotsFault(
  options: { readonly enableProfiling: boolean; readonly enableHeapSnapshots: boolean },
): Fault {
  if (!options.enableHeapSnapshots || options.enableProfiling) return undefined;
  return "if --enable-heap-snapshots is set, --enable-profiling must also be set";
}
