import assert from "node:assert/strict";
import { parse } from "yaml";
import { listMember, memberOf, objectOf, textMember } from "../../src/kube/client/json_value.ts";

const root = new URL("../../", import.meta.url);
const folder = new URL(".github/workflows/", root);

/** What GitHub knows, as far as the workflows use it. */
const events = ["push", "pull_request", "schedule"];
const scopes = ["contents", "packages", "id-token", "attestations"];
const jobKeys = ["runs-on", "timeout-minutes", "container", "strategy", "steps"];
const stepKeys = ["name", "id", "if", "uses", "with", "env", "run"];
const contexts = /^(github|secrets|matrix|steps)\.[\w.-]+( == '\w+')?$|^hashFiles\(.*\)$/;

const workflows = new Map<string, { readonly text: string; readonly value: unknown }>();
for await (const { name } of Deno.readDir(folder)) {
  const text = await Deno.readTextFile(new URL(name, folder));
  workflows.set(name, { text, value: parse(text) });
}

function jobsOf(value: unknown): readonly (readonly [string, unknown])[] {
  return Object.entries(objectOf(memberOf(value, "jobs")) ?? {});
}

function keysOf(value: unknown): string[] {
  return Object.keys(objectOf(value) ?? {});
}

/** Every step of a workflow. */
function stepsOf(value: unknown): unknown[] {
  return jobsOf(value).flatMap(([, job]) => listMember(job, "steps"));
}

function known(keys: readonly string[], of: readonly string[], where: string): void {
  for (const key of keys) assert.ok(of.includes(key), `${where} has ${key}`);
}

Deno.test("there are workflows for tests, kind, images and releases", () => {
  assert.deepEqual([...workflows.keys()].sort(), ["images.yaml", "kind.yaml", "release.yaml", "test.yaml"]);
});

/** The commit of each action that the workflows use. */
const commits = new Map<string, string>();

for (const [name, { text, value }] of workflows) {
  Deno.test(`.github/workflows/${name}: it has the form of a workflow, with bounds and only the rights that it names`, () => {
    known(keysOf(value), ["name", "on", "permissions", "concurrency", "jobs"], name);
    assert.equal(textMember(value, "name"), name.replace(".yaml", ""));
    known(keysOf(memberOf(value, "on")), events, name);
    known(keysOf(memberOf(value, "permissions")), scopes, name);
    assert.ok(keysOf(memberOf(value, "permissions")).length > 0, "the rights are not the default's");
    assert.ok(jobsOf(value).length > 0);
    for (const [id, job] of jobsOf(value)) {
      known(keysOf(job), jobKeys, `${name}, ${id}`);
      assert.match(textMember(job, "runs-on"), /^ubuntu-\d\d\.04$/);
      assert.equal(typeof memberOf(job, "timeout-minutes"), "number");
      const ids = new Set<string>();
      for (const step of listMember(job, "steps")) {
        known(keysOf(step), stepKeys, `${name}, ${id}`);
        assert.notEqual(memberOf(step, "uses") === undefined, memberOf(step, "run") === undefined);
        ids.add(textMember(step, "id"));
      }
      const axes = keysOf(memberOf(memberOf(job, "strategy"), "matrix"));
      for (const [, expression = ""] of JSON.stringify(job).matchAll(/\$\{\{ (.*?) \}\}/g)) {
        assert.match(expression, contexts);
        const [context = "", member = ""] = expression.split(".");
        if (context === "matrix") assert.ok(axes.includes(member), `${name} has no axis ${member}`);
        if (context === "steps") assert.ok(ids.has(member), `${name} has no step ${member}`);
      }
    }
    for (const [line] of text.matchAll(/^.*\buses:.*$/gm)) {
      // A tag can be moved to other code; a commit cannot.
      const [, action = "", commit = ""] =
        /^ +(?:- )?uses: ([\w-]+\/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$/.exec(line) ?? [];
      assert.notEqual(commit, "", `${line.trim()} is to name a commit, and its version behind it`);
      assert.equal(commits.get(action) ?? commit, commit, `${action} is used in two versions`);
      commits.set(action, commit);
    }
    for (const [, expression = ""] of text.matchAll(/\$\{\{ ?(.*?) ?\}\}/g)) {
      assert.match(expression, contexts, "an expression that nobody thought of");
    }
  });

  Deno.test(`.github/workflows/${name}: the shell understands its scripts, and what they name is there`, async () => {
    for (const step of stepsOf(value)) {
      const script = textMember(step, "run").replace(/\$\{\{.*?\}\}/g, "1");
      const { code, stderr } = await new Deno.Command("bash", { args: ["-n", "-c", script] }).output();
      assert.equal(code, 0, `${script}\n${new TextDecoder().decode(stderr)}`);
      for (
        const [path] of script.matchAll(/(?:\.ci\/run|examples\/[\w./-]+|\bContainerfile|\b[A-Z]+\.md|\bLICENSE)/g)
      ) {
        await Deno.stat(new URL(path, root));
      }
      for (const [, task = ""] of script.matchAll(/deno task (\S+)/g)) {
        const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
        assert.ok(Object.hasOwn(tasks, task), `there is no task ${task}`);
      }
    }
  });
}

Deno.test("the workflows build every target of Containerfile, with the runtime that it has", async () => {
  const containerfile = await Deno.readTextFile(new URL("Containerfile", root));
  const targets = [...containerfile.matchAll(/^FROM base AS (\S+)$/gm)].map(([, target]) => target);
  const [[, images] = []] = jobsOf(workflows.get("images.yaml")?.value);
  assert.deepEqual(listMember(memberOf(memberOf(images, "strategy"), "matrix"), "program"), targets);
  const [, deno = ""] = /^ARG DENO_VERSION=(\S+)$/m.exec(containerfile) ?? [];
  for (const { value } of workflows.values()) {
    for (const step of stepsOf(value)) {
      if (textMember(step, "uses").startsWith("denoland/setup-deno@")) {
        assert.equal(textMember(memberOf(step, "with"), "deno-version"), `v${deno}`);
      }
    }
  }
});

Deno.test("a release's images are not built on an image that only a tag names", async () => {
  const scripts = stepsOf(workflows.get("images.yaml")?.value).map((step) => textMember(step, "run"));
  const check = scripts.find((script) => script.includes("sha256")) ?? assert.fail();
  const folder = await Deno.makeTempDir();
  const code = async (containerfile: string) => {
    await Deno.writeTextFile(`${folder}/Containerfile`, containerfile);
    return (await new Deno.Command("bash", { args: ["-e", "-c", check], cwd: folder, stdout: "null" }).output()).code;
  };
  const digest = `@sha256:${"0a".repeat(32)}`;
  const lines = (first: string, second: string) =>
    `FROM --platform=$P docker.io/denoland/deno:\${V}${first} AS build\nFROM gcr.io/x/y:z${second}\nFROM build AS other\n`;
  assert.equal(await code(lines(digest, digest)), 0);
  for (const [first, second] of [["", digest], [digest, ""], ["", ""], [digest, "@sha256:0a"]] as const) {
    assert.notEqual(await code(lines(first, second)), 0);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the kind workflow calls the quick start with flags that it takes", async () => {
  const folder = await Deno.makeTempDir();
  await new Deno.Command("cp", { args: ["-r", `${new URL("examples/kind-multinode/", root).pathname}.`, folder] })
    .output();
  const scripts = stepsOf(workflows.get("kind.yaml")?.value).map((step) => textMember(step, "run")).join("\n");
  const [, flags = ""] = /quickstart-kind\.sh ((?:.*\\\n)*.*)/.exec(scripts) ?? [];
  const script = `bash ${folder}/quickstart-kind.sh ${flags.replace(/\$\{\{.*?\}\}/g, "3")} --render-only`;
  const { code, stderr } = await new Deno.Command("bash", { args: ["-c", script] }).output();
  assert.ok(flags.length > 50);
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a release takes a section of the changelog that has its date, and its notes are that section", async () => {
  const { version } = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const scripts = stepsOf(workflows.get("release.yaml")?.value).map((step) => textMember(step, "run"));
  const check = scripts.find((script) => script.includes('GITHUB_REF_NAME}" =')) ?? assert.fail();
  const [notes = ""] = /^awk .*$/m.exec(scripts.join("\n")) ?? [];
  const changelog = await Deno.readTextFile(new URL("CHANGELOG.md", root));
  const folder = await Deno.makeTempDir();
  await Deno.copyFile(new URL("deno.json", root), `${folder}/deno.json`);
  const run = async (script: string, tag: string, text: string) => {
    await Deno.writeTextFile(`${folder}/CHANGELOG.md`, text);
    return await new Deno.Command("bash", {
      args: ["-e", "-o", "pipefail", "-c", script],
      cwd: folder,
      env: { GITHUB_REF_NAME: tag, PATH: `${Deno.execPath().replace(/\/[^/]*$/, "")}:${Deno.env.get("PATH")}` },
    }).output();
  };
  const undated = changelog.replace(/^(## \S+) \(.*\)$/m, "$1 (unreleased)");
  const dated = changelog.replace(/^(## \S+) \(.*\)$/m, "$1 (2026-12-31)");
  assert.equal((await run(check, `v${version}`, dated)).code, 0);
  assert.notEqual((await run(check, `v${version}`, undated)).code, 0);
  assert.notEqual((await run(check, "v0.0.1", dated)).code, 0);
  await run(notes, `v${version}`, `${dated}\n## 0.36.0 (2026-01-01)\n\nOlder.\n`);
  const said = await Deno.readTextFile(`${folder}/notes.md`);
  assert.match(said, /wire-compatible/);
  assert.doesNotMatch(said, /Older|^## /m);
  await Deno.remove(folder, { recursive: true });
});
