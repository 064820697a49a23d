import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { walk } from "./support/assert/walk.ts";

const root = new URL("../", import.meta.url);

/** The arguments of the `gen` task, without its `deno`, so that this test runs what the task runs. */
async function generation(): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const task: unknown = Reflect.get(Object(Reflect.get(Object(config), "tasks")), "gen");
  const command = typeof task === "string" ? task : Reflect.get(Object(task), "command");
  assert.ok(typeof command === "string", "deno.json has the task gen");
  const [program, ...args] = command.split(/\s+/);
  assert.equal(program, "deno");
  return args;
}

async function filesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...await filesBelow(path));
    else found.push(path);
  }
  return found.sort();
}

Deno.test("gen/ is exactly what the gen task makes of proto/", async () => {
  const out = await Deno.makeTempDir({ prefix: "gen-" });
  try {
    // The plugin is started as `deno`: let that be the runtime that runs this test, on a machine with another or none.
    const path = `${dirname(Deno.execPath())}:${Deno.env.get("PATH") ?? ""}`;
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...await generation(), "--output", out],
      cwd: fileURLToPath(root),
      env: { PATH: path },
      stdout: "null",
      stderr: "piped",
    }).output();
    assert.ok(success, `generation failed: ${new TextDecoder().decode(stderr)}`);
    const made = await filesBelow(out);
    assert.deepEqual(made.map((file) => file.slice(out.length + 1)), await walk("gen"), "the same files");
    for (const file of made) {
      const name = file.slice(out.length + 1);
      assert.equal(
        await Deno.readTextFile(new URL(name, root)),
        await Deno.readTextFile(file),
        `${name} is stale: run deno task gen`,
      );
    }
    assert.ok(made.length >= 2, "something was generated");
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
