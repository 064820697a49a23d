import { until } from "../assert/until.ts";

const root = "/sys/fs/cgroup";

/** The files of a group, by the version of control groups. */
interface GroupFiles {
  readonly version: 1 | 2;
  readonly parent: string;
  readonly limit: string;
  readonly peak: string;
  readonly kills: string;
}

const versions: readonly GroupFiles[] = [
  {
    version: 1,
    parent: `${root}/memory`,
    limit: "memory.limit_in_bytes",
    peak: "memory.max_usage_in_bytes",
    kills: "memory.oom_control",
  },
  { version: 2, parent: root, limit: "memory.max", peak: "memory.peak", kills: "memory.events" },
];

let made = 0;

/**
 * A control group with a limit of memory, and without swap where the system counts that. Needs Linux and leave to make one:
 * see {@link memoryGroups}.
 */
export class MemoryGroup implements AsyncDisposable {
  readonly #folder: string;
  readonly #files: GroupFiles;

  private constructor(folder: string, files: GroupFiles) {
    this.#folder = folder;
    this.#files = files;
  }

  /** @throws where none can be made */
  static open(limitBytes: number): MemoryGroup {
    let failure: unknown;
    for (const files of versions) {
      const folder = `${files.parent}/konnectivity-test-${Deno.pid}-${made++}`;
      try {
        Deno.statSync(`${files.parent}/cgroup.procs`);
        Deno.mkdirSync(folder);
      } catch (error) {
        failure = error;
        continue;
      }
      try {
        Deno.writeTextFileSync(`${folder}/${files.limit}`, String(limitBytes), { create: false });
        return new MemoryGroup(folder, files);
      } catch (error) {
        failure = error;
        Deno.removeSync(folder);
      }
    }
    throw failure;
  }

  /** Of the control groups: version 2 counts what the kernel's sockets hold, version 1 does not. */
  get version(): 1 | 2 {
    return this.#files.version;
  }

  /** A command line that runs another one in it. */
  command(...command: string[]): string[] {
    return ["sh", "-c", `echo $$ >${this.#folder}/cgroup.procs && exec "$@"`, "sh", ...command];
  }

  /** The most that its processes had at once, in bytes; undefined where the system does not say. */
  get peakBytes(): number | undefined {
    try {
      return Number(Deno.readTextFileSync(`${this.#folder}/${this.#files.peak}`));
    } catch {
      return undefined;
    }
  }

  /** How many of its processes the system has killed for want of memory. */
  get kills(): number {
    const text = Deno.readTextFileSync(`${this.#folder}/${this.#files.kills}`);
    return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? NaN);
  }

  /** Its processes have to end before. */
  async [Symbol.asyncDispose](): Promise<void> {
    await until("the control group is empty", () => {
      try {
        Deno.removeSync(this.#folder);
        return true;
      } catch {
        return false;
      }
    });
  }
}

/** The version of control groups of memory that can be made here, or why there can be none. */
export async function memoryGroups(): Promise<1 | 2 | string> {
  try {
    await using group = MemoryGroup.open(1024 * 1024 * 1024);
    return group.version;
  } catch (error) {
    return `no control group of memory can be made here: ${error instanceof Error ? error.message : error}`;
  }
}
