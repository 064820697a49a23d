import assert from "node:assert/strict";
import { SourceMap, type SourceMapPayload } from "node:module";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import { binaries } from "../../tools/binaries.ts";
import { build } from "../../tools/build.ts";
import { freePort } from "../support/processes/free_port.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";

/** Built once, in a folder of its own: what a developer has built stays as it is. */
let building: Promise<string> | undefined;

/** @returns the folder, with a space in its name */
function built(): Promise<string> {
  building ??= (async () => {
    const folder = `${await Deno.makeTempDir({ prefix: "konnectivity-build-" })}/a folder`;
    assert.equal(await build(folder), 0);
    return folder;
  })();
  return building;
}

Deno.test.afterAll(async () => {
  if (building === undefined) return;
  const folder = await building;
  await Deno.remove(folder.replace(/\/a folder$/, ""), { recursive: true });
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const [program = "", ...args] = command;
  const output = await new Deno.Command(program, { args, env: { NO_COLOR: "1", ...env }, stdin: "null" }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code: output.code, stdout: text(output.stdout), stderr: text(output.stderr) };
}

/** Starts a launcher and waits until its test server answers. */
async function serve(launcher: string, port: number, ...flags: string[]): Promise<Program> {
  const program = new Program("http-test-server", [launcher, `--server-port=${port}`, ...flags]);
  await until("it answers", async () => {
    assert.equal(program.status, undefined, program.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  return program;
}

leakTest("every launcher runs its own program", async () => {
  const folder = await built();
  for (const { name } of binaries) {
    const { code, stdout, stderr } = await run([`${folder}/bin/${name}`, "--version"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ `));
    assert.match((await run([`${folder}/bin/${name}`, "--help"])).stdout, new RegExp(`^Usage:\\n {2}${name} `, "m"));
  }
});

leakTest("the bundle holds everything: the demo passes through it", async () => {
  const folder = await built();
  const bundle = `${folder}/dist/konnectivity.js`;
  const certs = `${folder}/certs`;
  const demo = await run([Deno.execPath(), "run", "-A", "--no-config", bundle, "demo", `--certs=${certs}`]);
  assert.equal(demo.code, 0, demo.stderr);
  assert.equal(demo.stdout.match(/ 200 +\d+$/gm)?.length, 4, demo.stdout);
  assert.deepEqual(await processesWith(folder), []);
});

leakTest("only the programs that make certificates hold the library for it", async () => {
  const folder = `${await built()}/dist`;
  const sentence = "Cannot get 'notAfter' value";
  assert.ok(!(await Deno.readTextFile(`${folder}/konnectivity.js`)).includes(sentence));
  assert.ok((await Deno.readTextFile(`${folder}/x509.js`)).includes(sentence));
  const names = await Array.fromAsync(Deno.readDir(folder), (entry) => entry.name);
  const bundles = ["konnectivity.js", "kubeconfig.js", "permissions.js", "x509.js"];
  assert.deepEqual(names.sort(), bundles.flatMap((name) => [name, `${name}.map`]));
});

leakTest("the question for permissions loads little of Node, and has the answers of the whole program", async () => {
  const folder = await built();
  const question = `${folder}/dist/permissions.js`;
  // Each takes part of a start: sockets, TLS and files of Node take as long as all the rest.
  const modules = (await Deno.readTextFile(question)).matchAll(/\bfrom ?"(node:[^"]+)"/g);
  assert.deepEqual([...new Set([...modules].map(([, name]) => name))].sort(), ["node:buffer", "node:path", "node:url"]);
  const kubeconfig = `${folder}/kubeconfig`;
  await Deno.writeTextFile(
    kubeconfig,
    "clusters: [{name: a, cluster: {server: 'https://10.0.0.1:6443'}}]\ncontexts: [{name: a, context: {cluster: a}}]\n" +
      "current-context: a\n",
  );
  const lines = [
    ["server", "--workers=2", "--uds-name=/run/a.sock", `--kubeconfig=${kubeconfig}`, "--enable-lease-controller"],
    ["server", "--enable-lease-controller"],
    ["agent", "--proxy-server-host=proxy.example", "--destinations=10.0.0.0/8", "--vmodule=a=5"],
    ["agent", "--no-such-flag"],
    ["test-client", "--proxy-host=proxy.example"],
    ["test-server", "--log-file=/tmp/a,b"],
    ["nothing"],
  ];
  for (const line of lines) {
    const ask = (entry: string) =>
      run([Deno.execPath(), "run", "--no-config", "--no-prompt", "-R", "-E", entry, "permissions", ...line]);
    const [asked, whole] = [await ask(question), await ask(`${folder}/dist/konnectivity.js`)];
    const programs = (text: string) => text.replaceAll(/[,|] ?konnectivity\b/g, "");
    assert.deepEqual([asked.code, asked.stdout], [whole.code, whole.stdout], line.join(" "));
    assert.equal(asked.stderr, programs(whole.stderr), line.join(" "));
  }
});

leakTest(
  "what belongs to the launchers lies where a system looks for it, and is what the built program prints",
  async () => {
    const folder = await built();
    const completions = {
      bash: "bash-completion/completions/konnectivity",
      zsh: "zsh/site-functions/_konnectivity",
      fish: "fish/vendor_completions.d/konnectivity.fish",
    };
    for (const [shell, path] of Object.entries(completions)) {
      const { code, stdout, stderr } = await run([`${folder}/bin/konnectivity`, "completion", shell]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, await Deno.readTextFile(`${folder}/share/${path}`));
    }
    const pages = await Array.fromAsync(Deno.readDir(`${folder}/share/man/man8`), ({ name }) => name);
    assert.deepEqual(pages.sort(), ["http-test-server.8", "proxy-agent.8", "proxy-server.8", "proxy-test-client.8"]);
    assert.match(await Deno.readTextFile(`${folder}/share/man/man1/konnectivity.1`), /^\.TH KONNECTIVITY 1 /);
    const wrong = await run([`${folder}/bin/konnectivity`, "completion", "csh"]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /^Error: one of bash, zsh, fish is needed, got "csh"/);
  },
);

leakTest("the map beside the bundle leads to a text that names each source", async () => {
  const bundle = `${await built()}/dist/konnectivity.js`;
  const payload = JSON.parse(await Deno.readTextFile(`${bundle}.map`)) as SourceMapPayload;
  const map = new SourceMap(payload);
  const text = await Deno.readTextFile(bundle);
  const sentence = "no hello in ";
  const lines = text.slice(0, text.indexOf(sentence)).split("\n");
  const entry = map.findEntry(lines.length - 1, lines.at(-1)?.length ?? 0);
  assert.ok("originalLine" in entry, JSON.stringify(entry));
  const readable = payload.sourcesContent[0]?.split("\n") ?? [];
  assert.ok(readable[entry.originalLine]?.includes(sentence), JSON.stringify(entry));
  assert.ok(readable.includes("// src/net/direct/direct_link.ts"));
});

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

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  leakTest(`${signal} to a launcher ends its program in order and leaves nothing`, async () => {
    const folder = await built();
    const program = await serve(`${folder}/bin/http-test-server`, await freePort());
    program.signal(signal);
    assert.equal((await program.ended).code, 0, program.log);
    await program.stop();
    assert.deepEqual(await processesWith(folder), []);
  });
}

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

/** Flags of the runtime that a process was started with. */
async function grantedTo(pid: number): Promise<readonly string[]> {
  const words = (await Deno.readTextFile(`/proc/${pid}/cmdline`)).split("\0");
  return words.slice(0, words.indexOf("test-server")).filter((word) => /^--(allow|deny|v8|unsafely)/.test(word));
}

const hostileNames = [
  'it\'s * a "log" $HOME `file`.log',
  "--allow-all",
  "-A",
  "$(touch made-by-a-name)",
  "${IFS}--allow-run",
  "x --allow-all y",
  "x\t--allow-all",
  ";touch made-by-a-name;",
  "*",
  "?[a-z]*",
  "~",
  "%s%n\\n\\",
  "=",
  "#",
  " ",
  "Straße \u202e.log",
];

leakTest("a path reaches the program as it is and grants itself alone, whatever signs are in it", async () => {
  const folder = await built();
  const launch = new URL("../../tools/launch.sh", import.meta.url).pathname;
  const logs = await Deno.makeTempDir({ prefix: "konnectivity-names-" });
  const commands = [[`${folder}/bin/http-test-server`], ["sh", launch, "test-server"]];
  for (const [at, name] of hostileNames.entries()) {
    const port = await freePort();
    const file = `${logs}/${name}`;
    const program = new Program("http-test-server", [
      ...(commands[at % commands.length] ?? []),
      `--server-port=${port}`,
      "--logtostderr=false",
      "--log-file",
      file,
    ]);
    await until("it answers", async () => {
      assert.equal(program.status, undefined, program.log);
      return (await httpGet(port, "/success")).status === 200;
    });
    const granted = await grantedTo(program.pid);
    program.signal("SIGTERM");
    assert.equal((await program.ended).code, 0, program.log);
    await program.stop();
    const own = [
      `--allow-net=127.0.0.1:${port}`,
      `--allow-read=${file}`,
      `--allow-write=${file}`,
      "--allow-sys=uid,hostname",
    ];
    assert.deepEqual(granted.filter((flag) => flag.startsWith("--allow")), own, name);
    assert.match(await Deno.readTextFile(file), /serving test pages/, name);
  }
  const names = await Array.fromAsync(Deno.readDir(logs), (entry) => entry.name);
  assert.deepEqual(names.sort(), [...hostileNames].sort());
  await Deno.remove(logs, { recursive: true });
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

// A shell stands between, so that the launcher does not find the runtime in the process that started it.
const throughShell = ["sh", "-c", '"$0" "$@"; exit $?'] as const;

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

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  leakTest(`${signal} to deno task ends the program that it runs, with the program's exit code`, async () => {
    const port = await freePort();
    const task = new Program("task", [Deno.execPath(), "task", "-q", "test-server", `--server-port=${port}`]);
    await until("it answers", async () => {
      assert.equal(task.status, undefined, task.log);
      return (await httpGet(port, "/success")).status === 200;
    });
    task.signal(signal);
    assert.equal((await task.ended).code, 0, task.log);
    await task.stop();
    assert.deepEqual(await processesWith(`--server-port=${port}`), []);
  });
}
