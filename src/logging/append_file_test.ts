import assert from "node:assert/strict";
import { until } from "../../tests/support/assert/until.ts";
import { openAppending } from "./append_file.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function append(path: string, text: string, options?: { mustBeNew?: boolean }): void {
  using file = openAppending(path, options);
  file.writeSync(new TextEncoder().encode(text));
}

/** Somebody else, whom this test makes links for. */
const other = 12_345;

Deno.test("a new log is its owner's alone, and one that exists keeps its mode and what it holds", async () => {
  await inFolder(async (folder) => {
    append(`${folder}/new`, "a");
    append(`${folder}/new`, "b");
    assert.equal(await Deno.readTextFile(`${folder}/new`), "ab");
    assert.equal(((await Deno.stat(`${folder}/new`)).mode ?? 0) & 0o777, 0o600);
    await Deno.chmod(`${folder}/new`, 0o640);
    append(`${folder}/new`, "c");
    assert.equal(((await Deno.stat(`${folder}/new`)).mode ?? 0) & 0o777, 0o640);
  });
});

Deno.test("a log follows its own user's symbolic links, also to where there is no file yet", async () => {
  await inFolder(async (folder) => {
    await Deno.symlink("target", `${folder}/link`);
    append(`${folder}/link`, "a");
    append(`${folder}/link`, "b");
    assert.equal(await Deno.readTextFile(`${folder}/target`), "ab");
    assert.equal(((await Deno.stat(`${folder}/target`)).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("a log follows no symbolic link of another user, and does not touch what it leads to", async () => {
  await inFolder(async (folder) => {
    for (const exists of [false, true]) {
      const [link, target] = [`${folder}/link-${exists}`, `${folder}/target-${exists}`];
      if (exists) await Deno.writeTextFile(target, "precious");
      await Deno.symlink(target, link);
      // Needs root, as the tests with networks of their own do.
      const { success } = await new Deno.Command("chown", { args: ["-h", String(other), link] }).output();
      assert.ok(success, "this test needs root");
      assert.throws(() => append(link, "a"), /symbolic link of another user \(12345\)/);
      const left = await Deno.readTextFile(target).catch(() => undefined);
      assert.equal(left, exists ? "precious" : undefined);
    }
  });
});

Deno.test("where a file must be new, what others have put there is an error", async () => {
  await inFolder(async (folder) => {
    append(`${folder}/new`, "a", { mustBeNew: true });
    assert.throws(() => append(`${folder}/new`, "b", { mustBeNew: true }), Deno.errors.AlreadyExists);
    await Deno.symlink("nowhere", `${folder}/link`);
    assert.throws(() => append(`${folder}/link`, "b", { mustBeNew: true }), Deno.errors.AlreadyExists);
    await assert.rejects(Deno.stat(`${folder}/nowhere`), Deno.errors.NotFound);
  });
});

Deno.test("a pipe is written to while somebody reads it, and is an error where nobody does: to open it would be to wait", async () => {
  await inFolder(async (folder) => {
    const pipe = `${folder}/pipe`;
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    assert.throws(() => append(pipe, "a"), /it is a pipe that nobody reads/);
    const reading = Deno.readTextFile(pipe);
    // The reader opens it in a thread of its own, some time from now.
    const file = await until("somebody reads the pipe", () => {
      try {
        return openAppending(pipe);
      } catch {
        return undefined;
      }
    });
    assert.equal(file?.size(), 0);
    file.writeSync(new TextEncoder().encode("a"));
    file.empty();
    file.writeSync(new TextEncoder().encode("b"));
    file.close();
    assert.equal(await reading, "ab");
  });
});

Deno.test("the process's own streams can be named by their paths, and devices are refused with what can be done", async () => {
  const code = `
    const { openAppending } = await import(${JSON.stringify(new URL("./append_file.ts", import.meta.url).href)});
    using file = openAppending("/dev/stdout");
    file.writeSync(new TextEncoder().encode("a"));
    try {
      openAppending("/dev/full");
    } catch (error) {
      console.log(error.message);
    }`;
  const module = `data:text/javascript,${encodeURIComponent(code)}`;
  const args = ["run", "--quiet", "--no-check", "--allow-write=/dev/stdout,/dev/full", "--no-prompt", module];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(out, "athe sandbox does not open it; name a file, /dev/stdout or /dev/stderr\n", error);
});
