/** The programs as users run them, in control groups with little memory. */
import assert from "node:assert/strict";
import { tellFigure } from "../support/assert/figures.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { Launched } from "../support/processes/launched.ts";
import { MemoryGroup, memoryGroups } from "../support/processes/memory_group.ts";
import { launcherOf } from "../support/processes/processes.ts";
import { transfers } from "../support/processes/transfers.ts";

export const mebibyte = 1024 * 1024;
const groups = await memoryGroups();

export function memoryTest(name: string, body: (t: Deno.TestContext) => Promise<void>): void {
  if (typeof groups === "number") leakTest(name, body);
  else Deno.test({ name: `${name} (skipped: ${groups})`, ignore: true, fn: () => {} });
}

async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "konnectivity-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

/** Many who move bytes at once through a program with little memory. */
export interface LittleMemory {
  readonly role: "agent" | "server";
  readonly kind: FrontendKind;
  /** By the version of control groups: the second counts what the kernel holds for sockets, megabytes for each. */
  readonly limitsMiB: readonly [number, number];
  readonly count: number;
  readonly links?: string;
}

/** The limit that this machine's control groups have it run with. */
export function limitOf({ limitsMiB }: LittleMemory): number {
  return limitsMiB[groups === 2 ? 1 : 0];
}

/** Nothing is lost, and nobody is killed. */
export async function movesMuch(t: Deno.TestContext, little: LittleMemory): Promise<void> {
  const { role, kind, count, links } = little;
  const limitMiB = limitOf(little);
  await using folder = await temporaryFolder();
  // What the runtime remembers of a program makes its next start small; see the tests of first starts.
  const remembers = ["env", `DENO_DIR=${folder.path}`, ...await launcherOf(role)];
  const [shell = "", ...args] = [...remembers, "--version"];
  assert.ok((await new Deno.Command(shell, { args, stdin: "null" }).output()).success);
  await using group = MemoryGroup.open(limitMiB * mebibyte);
  const command = group.command(...remembers);
  await using launched = await Launched.start(kind, {
    ...(role === "agent" ? { agentCommand: command } : { serverCommand: command }),
    ...(links === undefined ? {} : { agentFlags: [`--link-protocol=${links}`] }),
  });
  await transfers(launched, count, 4_000_000);
  assert.equal(group.kills, 0);
  assert.match(launched[role].program.log, new RegExp(`memory is limited to ${limitMiB} MiB, which bounds`));
  const { peakBytes } = group;
  if (peakBytes !== undefined) await tellFigure(t, `${(peakBytes / mebibyte).toFixed(1)} MiB at most`);
}
