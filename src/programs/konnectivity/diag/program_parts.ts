import { formatHostPort, hostPortOf } from "../../../wire/destination/host_port.ts";
import { pause } from "../pause.ts";
import { AdminError, askAdmin, gathered, openAdmin, textOf } from "../status/admin_client.ts";
import { agentLines } from "../status/agent_lines.ts";
import { readStatus, type WholeStatus } from "../status/read_status.ts";
import { serverLines } from "../status/server_lines.ts";
import { statusText } from "../status/status_text.ts";
import { readEvents } from "../tap/read_events.ts";
import type { DiagOptions } from "./diag_command.ts";
import { type DiagPart, jsonFile, MissingError, textFile } from "./diag_part.ts";
import { fileName, type TarEntry } from "./tar_writer.ts";

/** Tunnels and dials that are taken, each; agents and links are taken all. */
const mostTunnels = 100_000;

/** What is taken of events, in characters. */
const mostEventChars = 16 * 1024 * 1024;

/** What is taken of a profile, and of a snapshot, in bytes. */
const mostProfileBytes = 1024 * 1024 * 1024;

/** A snapshot begins to come when it has been taken: a second for each 50 MB of heap. */
const snapshotMs = 300_000;

const plain = { colour: false, unicode: true };

/** A program that answers. */
export interface DiagTarget {
  readonly admin: URL;
  /** Where its files are in the archive. */
  readonly folder: string;
  /** Undefined: it has no status. */
  readonly status: WholeStatus | undefined;
  /** Why it has none. */
  readonly noStatus: unknown;
}

/** Asks a program for its status. @throws {AdminError} where nothing listens; the signal's reason */
export async function targetOf(admin: URL, { timeoutMs }: DiagOptions, signal: AbortSignal): Promise<DiagTarget> {
  const { host } = admin;
  try {
    const status = await readStatus({ admin: [admin], filters: {}, limit: mostTunnels, timeoutMs }, signal);
    return { admin, folder: `${status.kind}-${fileName(host)}`, status, noStatus: undefined };
  } catch (error) {
    if (signal.aborted || (error instanceof AdminError && error.code === "refused")) throw error;
    return { admin, folder: `program-${fileName(host)}`, status: undefined, noStatus: error };
  }
}

/** What is gathered of a program that answers. @param events that have been watched since the diagnosis began */
export function programParts(
  target: DiagTarget,
  options: DiagOptions,
  events: Promise<string> | undefined,
): readonly DiagPart[] {
  const { admin, folder } = target;
  const { cpuSeconds, eventSeconds, heap, timeoutMs } = options;
  const of = (what: string) => `${what} of ${admin.host}`;
  const profiles: DiagPart[] = [];
  if (cpuSeconds > 0) {
    profiles.push({
      what: of("processor profile"),
      before: `a processor profile of ${admin.host} takes ${cpuSeconds} s`,
      gather: async (signal) => {
        const path = `/debug/pprof/profile?seconds=${cpuSeconds}`;
        return [await profile(admin, path, `${folder}/cpu.cpuprofile`, timeoutMs, cpuSeconds * 1000, signal)];
      },
    });
  }
  if (heap) {
    profiles.push({
      what: of("heap snapshot"),
      before:
        `WARNING: the heap snapshot of ${admin.host} holds its PRIVATE KEYS AND TOKENS IN CLEAR TEXT: hand the archive ` +
        "to nobody who may not have them, and delete it afterwards. The program stands still while it is taken",
      gather: async (signal) => [
        await profile(admin, "/debug/pprof/heap", `${folder}/HOLDS-KEYS.heapsnapshot`, snapshotMs, 0, signal),
      ],
    });
  }
  return [
    { what: of("status"), gather: () => statusFiles(target) },
    { what: of("metrics"), gather: async (signal) => [await metrics(target, timeoutMs, signal)] },
    ...(events === undefined ? [] : [{
      what: of("events"),
      before: `events of ${admin.host} are taken for ${eventSeconds} s`,
      gather: async () => [textFile(`${folder}/events.jsonl`, await events)],
    }]),
    ...profiles,
  ];
}

function statusFiles({ folder, status, noStatus }: DiagTarget): Promise<readonly TarEntry[]> {
  if (status === undefined) return Promise.reject(noStatus);
  const line = status.kind === "server" ? serverLines(status.status, Infinity) : agentLines(status.status, Infinity);
  return Promise.resolve([
    jsonFile(`${folder}/status.json`, status.status),
    textFile(`${folder}/status.txt`, `${statusText(line, plain).join("\n")}\n`),
  ]);
}

async function metrics({ admin, folder }: DiagTarget, timeoutMs: number, signal: AbortSignal): Promise<TarEntry> {
  const first = await askAdmin(admin, "/metrics", timeoutMs, signal);
  const name = `${folder}/metrics.txt`;
  if (first.status === 200) return textFile(name, first.body);
  if (first.status !== 301 || !URL.canParse(first.location, admin)) {
    throw new MissingError(`${admin.host} answers /metrics with status ${first.status}`);
  }
  // Those of an agent are on its health port.
  const there = new URL(first.location, admin);
  const { host, port } = hostPortOf(there);
  const address = formatHostPort(host, port);
  const { state } = await Deno.permissions.query({ name: "net", host: address });
  if (state !== "granted") {
    throw new MissingError(
      `the metrics of ${admin.host} are at ${address}, which has to be named: --health ${address}`,
    );
  }
  const answer = await askAdmin(there, there.pathname + there.search, timeoutMs, signal);
  if (answer.status === 200) return textFile(name, answer.body);
  throw new MissingError(`${address} answers /metrics with status ${answer.status}`);
}

/** Events of some seconds, a line of JSON each. @throws {AdminError} the signal's reason */
export async function recordEvents(
  admin: URL,
  { eventSeconds, timeoutMs }: DiagOptions,
  signal: AbortSignal,
): Promise<string> {
  const over = new AbortController();
  const stream = await readEvents(
    admin,
    { types: [], filters: {}, timeoutMs },
    AbortSignal.any([signal, over.signal]),
  );
  const timer = pause(eventSeconds * 1000, AbortSignal.any([signal, over.signal])).then(() => over.abort());
  let text = "";
  try {
    for await (const portion of stream.portions) {
      for (const event of portion) text += `${event.text}\n`;
      if (text.length > mostEventChars) break;
    }
  } catch (error) {
    // What came until the program ended is worth having.
    if (signal.aborted || (!over.signal.aborted && text === "")) throw error;
  } finally {
    over.abort();
    await timer;
  }
  return text;
}

async function profile(
  admin: URL,
  path: string,
  name: string,
  beginMs: number,
  recordMs: number,
  signal: AbortSignal,
): Promise<TarEntry> {
  const late = AbortSignal.timeout(beginMs + recordMs + snapshotMs);
  const { status, pieces } = await openAdmin(admin, path, beginMs, AbortSignal.any([signal, late]));
  const body = await gathered(admin, pieces, mostProfileBytes);
  if (status === 200) return { name, pieces: body };
  const said = textOf(body).slice(0, 1_000).trim().split("\n")[0] ?? "";
  throw new MissingError(
    status === 404
      ? `${admin.host} makes no profiles: start it with --enable-profiling`
      : `${admin.host} makes no such profile (status ${status}): ${said}`,
  );
}
