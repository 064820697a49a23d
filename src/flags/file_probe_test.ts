import assert from "node:assert/strict";
import { leakTest } from "../../tests/support/assert/leak_free.ts";
import { probeFile } from "./file_probe.ts";

leakTest("a file is readable, missing, or unreadable for a reason that is told", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/file`, "x");
    await Deno.symlink(`${dir}/file`, `${dir}/link`);
    await Deno.symlink(`${dir}/gone`, `${dir}/dangling`);
    assert.deepEqual(await probeFile(`${dir}/file`), { kind: "readable" });
    assert.deepEqual(await probeFile(`${dir}/link`), { kind: "readable" });
    assert.deepEqual(await probeFile(`${dir}/gone`), { kind: "missing" });
    assert.deepEqual(await probeFile(`${dir}/dangling`), { kind: "missing" });
    assert.deepEqual(await probeFile(dir), { kind: "unreadable", why: "it is a directory, a file is needed" });
    assert.equal((await probeFile(`${dir}/file/below`)).kind, "unreadable");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test({
  name: "a file outside the permission sandbox is unreadable, and the flag that would allow it is named",
  permissions: { read: false },
  fn: async () => {
    assert.deepEqual(await probeFile("/etc/hostname"), {
      kind: "unreadable",
      why: "the permission sandbox does not allow it, run with --allow-read=/etc/hostname",
    });
  },
});
