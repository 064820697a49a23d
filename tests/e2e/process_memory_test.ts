/** The programs as users run them, in control groups with little memory. */
import assert from "node:assert/strict";
import { tellFigure } from "../support/assert/figures.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { agentFlagsOf, Launched } from "../support/processes/launched.ts";
import { MemoryGroup, memoryGroups } from "../support/processes/memory_group.ts";
import { launcherOf, startAgent } from "../support/processes/processes.ts";
import { transfers } from "../support/processes/transfers.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";

const mebibyte = 1024 * 1024;
const groups = await memoryGroups();

function memoryTest(name: string, body: (t: Deno.TestContext) => Promise<void>): void {
  if (typeof groups === "number") leakTest(name, body);
  else Deno.test({ name: `${name} (skipped: ${groups})`, ignore: true, fn: () => {} });
}

async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "konnectivity-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const rows: readonly (readonly [
  role: "agent" | "server",
  kind: FrontendKind,
  /** By the version of control groups: the second counts what the kernel holds for sockets, megabytes for each. */
  limitsMiB: readonly [number, number],
  count: number,
  links?: string,
])[] = [
  ["agent", "grpc-uds", [40, 64], 8],
  ["agent", "grpc-uds", [64, 256], 64],
  ["agent", "connect-uds", [64, 256], 16, "grpc"],
  ["server", "grpc-uds", [64, 256], 32],
  ["server", "connect-uds", [64, 256], 32],
];

for (const [role, kind, limitsMiB, count, links] of rows) {
  const limitMiB = limitsMiB[groups === 2 ? 1 : 0];
  const over = links === undefined ? "" : `, with a link over ${links}`;
  memoryTest(
    `${role} with ${limitMiB} MiB moves ${count} times 4 MB at once, both ways, and nothing is lost or killed (${kind}${over})`,
    async (t) => {
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
    },
  );
}

memoryTest("an agent starts with 64 MiB although nothing is remembered of an earlier start", async (t) => {
  await using group = MemoryGroup.open(64 * mebibyte);
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    // Nobody listens there: it starts all the same, and tries again.
    await using _agent = await startAgent(
      agentFlagsOf(certificates, 1),
      { DENO_DIR: `${folder}/cache` },
      group.command(...await launcherOf("agent")),
    );
    assert.equal(group.kills, 0);
    const { peakBytes } = group;
    if (peakBytes !== undefined) await tellFigure(t, `${(peakBytes / mebibyte).toFixed(1)} MiB at most`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

memoryTest("a launcher whose program is killed at its start says that there is too little memory", async () => {
  await using group = MemoryGroup.open(16 * mebibyte);
  const [command = "", ...args] = group.command(...await launcherOf("agent"), "--proxy-server-host=127.0.0.1");
  const { code, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
  assert.equal(code, 137);
  assert.match(new TextDecoder().decode(stderr), /^Error: killed at its start, with 16 MiB of memory/m);
});

leakTest("a program with less memory than it needs says so at its start, once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    await using agent = await startAgent(
      agentFlagsOf(certificates, 1),
      { KONNECTIVITY_MEMORY_LIMIT: String(30 * mebibyte) },
      await launcherOf("agent"),
    );
    const said = agent.program.log.match(/^W.*memory is limited to 30 MiB, and 40 are needed under load.*$/gm);
    assert.equal(said?.length, 1, agent.program.log);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

memoryTest(
  "an agent starts with 40 MiB where its image remembers the program, on files that it cannot change",
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
    try {
      const [launcher = ""] = await launcherOf("agent");
      const cache = `${folder}/cache`;
      const remember = new Deno.Command("sh", {
        args: ["tools/image/remember.sh", launcher.replace(/bin\/[^/]*$/, "dist"), cache],
        env: { DENO: Deno.execPath() },
      });
      assert.ok((await remember.output()).success);
      await using group = MemoryGroup.open(40 * mebibyte);
      const certificates = await writeTestCertificates(folder, await testCertificates());
      const readOnly = `mount --bind ${cache} ${cache} && mount -o remount,bind,ro ${cache} && exec "$@"`;
      await using agent = await startAgent(
        agentFlagsOf(certificates, 1),
        { DENO_DIR: cache },
        ["unshare", "--mount", "sh", "-c", readOnly, "sh", ...group.command(launcher)],
      );
      assert.equal(group.kills, 0);
      assert.match(agent.program.log, /proxy agent \S+ runs/);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
