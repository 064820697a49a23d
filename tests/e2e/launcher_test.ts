import assert from "node:assert/strict";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import { freePort } from "../support/processes/free_port.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import { built, removeBuilt, run, serve } from "../support/processes/built_launchers.ts";
import { grantsItselfAlone, hostileNames } from "./hostile_paths.ts";

// A shell stands between, so that the launcher does not find the runtime in the process that started it.
const throughShell = ["sh", "-c", '"$0" "$@"; exit $?'] as const;

Deno.test.afterAll(removeBuilt);

leakTest("a launcher becomes its program, with the permissions of its command line and no others", async () => {
  const folder = await built();
  const port = await freePort();
  await using program = await serve(`${folder}/bin/http-test-server`, port);
  assert.equal(await Deno.realPath(`/proc/${program.pid}/exe`), await Deno.realPath(Deno.execPath()));
  const words = (await Deno.readTextFile(`/proc/${program.pid}/cmdline`)).split("\0");
  const granted = words.filter((word) => word.startsWith("--allow"));
  assert.deepEqual(granted, [`--allow-net=127.0.0.1:${port}`]);
  assert.ok(words.includes("--no-prompt"));
  assert.ok(words.includes(engineFlags));
  const environment = (await Deno.readTextFile(`/proc/${program.pid}/environ`)).split("\0");
  assert.ok(environment.includes("DENO_USR2_MEMORY_TRIM=1"));
  assert.ok(environment.includes("DENO_TOKIO_EVENT_INTERVAL=8"));
});

leakTest("the exit code of the program is the launcher's, and an error is told once", async () => {
  const folder = await built();
  const unknown = await run([`${folder}/bin/proxy-server`, "--no-such-flag"]);
  assert.equal(unknown.code, 1);
  assert.equal(unknown.stdout, "");
  assert.equal(unknown.stderr.split("unknown flag: --no-such-flag").length, 2, unknown.stderr);
  const invalid = await run([`${folder}/bin/http-test-server`, "--server-port=80"]);
  assert.equal(invalid.code, 1);
  assert.match(invalid.stderr, /80/);
});

leakTest("a port that is taken ends the program behind a launcher with 1", async () => {
  const folder = await built();
  const port = await freePort();
  await using _first = await serve(`${folder}/bin/http-test-server`, port);
  const second = await run([`${folder}/bin/http-test-server`, `--server-port=${port}`]);
  assert.equal(second.code, 1);
  assert.match(second.stderr, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}`));
});

leakTest("SIGTERM to a launcher ends its program in order and leaves nothing", async () => {
  const folder = await built();
  const program = await serve(`${folder}/bin/http-test-server`, await freePort());
  program.signal("SIGTERM");
  assert.equal((await program.ended).code, 0, program.log);
  await program.stop();
  assert.deepEqual(await processesWith(folder), []);
});

leakTest("SIGKILL to a launcher leaves nothing", async () => {
  const folder = await built();
  const port = await freePort();
  const program = await serve(`${folder}/bin/http-test-server`, port);
  program.signal("SIGKILL");
  await program.ended;
  await program.stop();
  assert.deepEqual(await processesWith(folder), []);
  assert.equal((await httpGet(port, "/success")).status, 0);
});

leakTest("a path reaches the program as it is and grants itself alone, whatever signs are in it", async () => {
  await grantsItselfAlone(hostileNames.slice(0, 4));
});

leakTest("a path with a line break or a comma is refused, and nothing runs", async () => {
  const folder = await built();
  for (const name of ["x\n--allow-all", "x\n--allow-run=sh", "x\n", "x,/etc"]) {
    const flags = ["--logtostderr=false", `--log-file=${folder}/${name}`];
    const { code, stdout, stderr } = await run([`${folder}/bin/http-test-server`, ...flags]);
    assert.equal(code, 1, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^Error: ".*" holds (a line break|a comma), which a list of permissions cannot express/);
  }
});

leakTest("a launcher works through a symbolic link and from another folder", async () => {
  const folder = await built();
  await Deno.symlink(`${folder}/bin/proxy-agent`, `${folder}/linked agent`);
  const { code, stdout } = await run(["sh", "-c", `cd / && "$0" --version`, `${folder}/linked agent`]);
  assert.equal(code, 0);
  assert.match(stdout, /^proxy-agent /);
});

leakTest("a launcher takes the runtime that DENO names, and says so when that is none", async () => {
  const folder = await built();
  const launcher = [...throughShell, `${folder}/bin/proxy-server`, "--version"];
  const bare = { PATH: "/usr/bin:/bin" };
  const named = await run(launcher, { ...bare, DENO: Deno.execPath() });
  assert.equal(named.code, 0, named.stderr);
  const wrong = await run(launcher, { ...bare, DENO: `${folder}/none` });
  assert.equal(wrong.code, 127);
  assert.match(wrong.stderr, /^Error: DENO is set to .*none, which is no program/);
});

leakTest("a launcher works in shells that end at the first failure and at variables that are not set", async () => {
  const folder = await built();
  for (const shell of ["sh", "bash"]) {
    const { code, stdout, stderr } = await run(
      ["sh", "-c", '"$0" "$@"; exit $?', shell, "-eu", `${folder}/bin/proxy-agent`, "--version"],
      { PATH: "/usr/bin:/bin" },
    );
    assert.equal(code, 0, `${shell}: ${stderr}`);
    assert.match(stdout, /^proxy-agent /);
  }
});

leakTest("a launcher starts for a user without a name, a home or a cache, and says what helps", async () => {
  const folder = await built();
  const tools = await Deno.makeTempDir({ prefix: "konnectivity-nobody-" });
  await Deno.writeTextFile(`${tools}/id`, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  const environment = { PATH: `${tools}:/usr/bin:/bin`, DENO: Deno.execPath(), HOME: "", DENO_DIR: "" };
  const launcher = [...throughShell, `${folder}/bin/proxy-server`, "--version"];
  const nobody = await run(launcher, environment);
  assert.equal(nobody.code, 0, nobody.stderr);
  assert.match(nobody.stderr, /^Warning: HOME and DENO_DIR are not set: name a folder in DENO_DIR/);
  const cached = await run(launcher, { ...environment, DENO_DIR: tools });
  assert.deepEqual([cached.code, cached.stderr], [0, ""]);
  await Deno.remove(tools, { recursive: true });
});

leakTest("a launcher has the runtime ask nobody for newer versions of itself", async () => {
  const folder = await built();
  const port = await freePort();
  await using program = await serve(`${folder}/bin/http-test-server`, port);
  const environment = (await Deno.readTextFile(`/proc/${program.pid}/environ`)).split("\0");
  assert.ok(environment.includes("DENO_NO_UPDATE_CHECK=1"), environment.join(" "));
});

leakTest("a launcher goes past npm's wrapper script to the binary beside it", async () => {
  const folder = await built();
  const packages = `${folder}/npm/node_modules`;
  await Deno.mkdir(`${packages}/.bin`, { recursive: true });
  await Deno.mkdir(`${packages}/deno`);
  await Deno.mkdir(`${packages}/@deno/linux-x64-glibc`, { recursive: true });
  await Deno.writeTextFile(`${packages}/deno/bin.cjs`, "#!/bin/sh\nexit 99\n", { mode: 0o755 });
  await Deno.symlink("../deno/bin.cjs", `${packages}/.bin/deno`);
  await Deno.symlink(Deno.execPath(), `${packages}/@deno/linux-x64-glibc/deno`);
  const launcher = [...throughShell, `${folder}/bin/proxy-server`, "--version"];
  const { code, stdout, stderr } = await run(launcher, { PATH: `${packages}/.bin:/usr/bin:/bin`, DENO: "" });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^proxy-server /);
});

leakTest("a runtime that does not know a flag of the engine runs the program without, and that is said", async () => {
  const folder = await built();
  const launcher = `${folder}/bin/later-runtime`;
  const text = await Deno.readTextFile(`${folder}/bin/http-test-server`);
  await Deno.writeTextFile(launcher, text.replace(engineFlags, `${engineFlags},--of-long-ago`), { mode: 0o755 });
  await using program = await serve(launcher, await freePort());
  assert.match(program.log, /^Warning: this version of deno does not take --v8-flags=.*--of-long-ago,/m);
  const words = (await Deno.readTextFile(`/proc/${program.pid}/cmdline`)).split("\0");
  assert.deepEqual(words.filter((word) => word.includes("v8")), []);
  const mistaken = await run([launcher, "--no-such-flag"]);
  assert.equal(mistaken.code, 1);
  assert.match(mistaken.stderr, /unknown flag: --no-such-flag/);
});

leakTest("from source a program is launched alike", async () => {
  const launch = new URL("../../tools/launch.sh", import.meta.url).pathname;
  const port = await freePort();
  const program = new Program("http-test-server", ["sh", launch, "test-server", `--server-port=${port}`]);
  await until("it answers", async () => {
    assert.equal(program.status, undefined, program.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  assert.equal(await Deno.realPath(`/proc/${program.pid}/exe`), await Deno.realPath(Deno.execPath()));
  program.signal("SIGTERM");
  assert.equal((await program.ended).code, 0, program.log);
  await program.stop();
});

leakTest("SIGTERM to deno task ends the program that it runs, with the program's exit code", async () => {
  const port = await freePort();
  const task = new Program("task", [Deno.execPath(), "task", "-q", "test-server", `--server-port=${port}`]);
  await until("it answers", async () => {
    assert.equal(task.status, undefined, task.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  task.signal("SIGTERM");
  assert.equal((await task.ended).code, 0, task.log);
  await task.stop();
  assert.deepEqual(await processesWith(`--server-port=${port}`), []);
});
