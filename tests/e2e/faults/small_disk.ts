import assert from "node:assert/strict";
import { launcherOf } from "../../support/processes/processes.ts";

/** Why a small disk cannot be made here; undefined where it can. */
export const machine = await (async () => {
  const args = ["--mount", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"];
  const { success } = await new Deno.Command("unshare", { args, stdout: "null", stderr: "null" }).output()
    .catch(() => ({ success: false }));
  return success ? undefined : "no file system can be mounted here";
})();

/** A program whose `/mnt` is a disk of its own, with 64 KiB. @param before commands of the shell, run with it mounted */
export async function onSmallDisk(role: "server" | "agent", before = ""): Promise<readonly string[]> {
  const script = `set -e; mount -t tmpfs -o size=64k none /mnt; ${before}\nexec "$@"`;
  return ["unshare", "--mount", "sh", "-c", script, "sh", ...await launcherOf(role)];
}

/** The disk of a process, as this one sees it. */
export const diskOf = (pid: number) => `/proc/${pid}/root/mnt`;

/** Takes all room that is left on a disk. @param path of a file there, which may be new */
export async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true });
  for (const bytes of [4096, 1]) {
    try {
      for (;;) await file.write(new Uint8Array(bytes));
    } catch (error) {
      assert.match(String(error), /No space left/);
    }
  }
}
