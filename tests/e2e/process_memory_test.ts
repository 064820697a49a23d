/** The programs as users run them, in control groups with little memory. */
import assert from "node:assert/strict";
import { tellFigure } from "../support/assert/figures.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { agentFlagsOf } from "../support/processes/launched.ts";
import { MemoryGroup } from "../support/processes/memory_group.ts";
import { launcherOf, startAgent } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { limitOf, type LittleMemory, mebibyte, memoryTest, movesMuch } from "./little_memory.ts";

const rows: readonly LittleMemory[] = [
  { role: "agent", kind: "grpc-uds", limitsMiB: [40, 64], count: 8 },
];

for (const little of rows) {
  const { role, kind, count, links } = little;
  const over = links === undefined ? "" : `, with a link over ${links}`;
  const limitMiB = limitOf(little);
  memoryTest(
    `${role} with ${limitMiB} MiB moves ${count} times 4 MB at once, both ways, and nothing is lost or killed (${kind}${over})`,
    (t) => movesMuch(t, little),
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
