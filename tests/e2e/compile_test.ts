import assert from "node:assert/strict";
import { Launched } from "../support/processes/launched.ts";
import { permissionsFor, type Role, roles } from "../../src/programs/permissions/permissions_command.ts";
import { engineFlags } from "../../src/runtime/engine_flags.ts";
import { binaries, root } from "../../tools/binaries.ts";
import { besideBundleOf, bundleOf } from "../../tools/build.ts";
import { compileFailure, crashCode, environmentFile, noStubCode, permissionFlags } from "../../tools/compile.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { type CompiledProgram, hasRealStub, readCompiledProgram } from "../support/processes/compiled_program.ts";
import { freePort } from "../support/processes/free_port.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { tunnelsOfWorkers, withWorkers } from "../support/processes/workers.ts";
import { compiled, compileInto, namesIn, run, temporaryFolder } from "./compiling.ts";

async function compiledProgram(role: Role): Promise<CompiledProgram> {
  const binary = binaries.find(({ program }) => program === role);
  return await readCompiledProgram(`${await compiled()}/bin/${binary?.name}`);
}

/** The files that a compiled program holds, its entry first. */
function filesOf(role: Role): string[] {
  return [bundleOf(role), ...besideBundleOf(role)].map((path) => path.replace("dist/", ""));
}

leakTest(
  "each compiled program is the bundle in one role, with what makes certificates, and nothing else",
  async () => {
    const folder = await compiled();
    assert.deepEqual(await namesIn(`${folder}/bin`), binaries.map(({ name }) => name).sort());
    for (const { program, name } of binaries) {
      const { metadata, files, packageBytes, remoteModules } = await compiledProgram(program);
      assert.deepEqual(metadata.argv, [program]);
      // The workers of a server run it too: they are told from the main thread by their name.
      const [entry = "", ...beside] = filesOf(program);
      assert.equal(metadata.entrypoint_key, entry);
      assert.deepEqual([...files.keys()].sort(), [entry, ...beside].sort());
      for (const [file, bytes] of files) {
        assert.ok(Buffer.from(bytes).equals(await Deno.readFile(`${folder}/dist/${file}`)), `${file} is the built one`);
      }
      assert.equal(packageBytes, 0);
      assert.equal(remoteModules, 0);
      assert.ok(((await Deno.stat(`${folder}/bin/${name}`)).mode ?? 0) & 0o100, "it can be run");
    }
  },
);

leakTest(
  "a compiled program finds all its code in itself: a file beside it, or in /tmp, is never its code",
  async () => {
    const folder = await compiled();
    for (const file of new Set(roles.flatMap(filesOf))) {
      const info = await run([Deno.execPath(), "info", "--json", "--no-config", `${folder}/dist/${file}`]);
      const { modules }: { modules: { specifier: string; error?: string }[] } = JSON.parse(info.stdout);
      const loaded = modules.filter(({ specifier }) => !specifier.startsWith("node:"));
      assert.deepEqual(loaded.map(({ specifier, error }) => [specifier.split("/").at(-1), error]), [[file, undefined]]);
    }
    // What is loaded when it is asked for has an address that is worked out.
    for (const role of roles) {
      const [entry, ...beside] = filesOf(role);
      const bundle = await Deno.readTextFile(`${folder}/dist/${entry}`);
      const addresses = [...bundle.matchAll(/new URL\("([^"]+)", ?import\.meta\.url\)/g)].map(([, address]) => address);
      assert.deepEqual([...new Set(addresses)].sort(), beside.map((file) => `./${file}`).sort());
      const { metadata } = await compiledProgram(role);
      // Code that the engine has compiled would be read from a file in /tmp whose name everybody knows.
      assert.equal(metadata["code_cache_key"], null);
      assert.equal(metadata["node_modules"], null);
      assert.deepEqual(metadata["preload_modules"], []);
      assert.deepEqual(metadata["require_modules"], []);
      const { import_map, package_jsons }: { readonly import_map?: unknown; readonly package_jsons?: unknown } = Object(
        metadata["workspace_resolver"],
      );
      assert.deepEqual([import_map, package_jsons], [null, {}]);
    }
  },
);

leakTest("a compiled program has the launchers' flags of the engine and gives memory back as they do", async () => {
  const launch = await Deno.readTextFile(`${root}/tools/launch.sh`);
  assert.ok(launch.includes(engineFlags));
  for (const role of roles) {
    const { metadata } = await compiledProgram(role);
    for (const flag of engineFlags.replace("--v8-flags=", "").split(",")) {
      assert.ok(metadata.v8_flags.includes(flag), `${role} has ${flag}`);
    }
    const set = metadata.env_vars_from_env_file;
    assert.deepEqual(Object.keys(set).sort(), ["DENO_TOKIO_EVENT_INTERVAL", "DENO_USR2_MEMORY_TRIM"]);
    for (const [name, value] of Object.entries(set)) {
      assert.ok(launch.includes(`export ${name}=${value}\n`), `the launchers set ${name} to ${value}`);
    }
  }
});

/** For each role, command lines that together use all that it can be granted, but profiles. */
const commandLines: Readonly<Record<Role, readonly (readonly string[])[]>> = {
  "server": [
    ["--workers=2", "--cluster-cert=/c", "--audit-log=/a", "--uds-name=/s", "--server-port=0"],
    ["--enable-lease-controller", "--server-ca-cert=/c"],
    ["--kubeconfig=/k", "--agent-namespace=n", "--logtostderr=false", "--log-file=/l"],
  ],
  "agent": [
    ["--ca-cert=/c", "--proxy-server-host=server.example", "--destinations=10.0.0.0/8,*.svc"],
    ["--count-server-leases", "--logtostderr=false", "--log-dir=/l"],
    ["--count-server-leases", "--kubeconfig=/k", "--logtostderr=false", "--log-file=/l"],
  ],
  "test-client": [["--proxy-uds=/s", "--proxy-host="], ["--client-cert=/c", "--logtostderr=false", "--log-file=/l"]],
  "test-server": [["--server-port=8000"], ["--logtostderr=false", "--log-file=/l"]],
  "konnectivity": [
    ["status"],
    ["tap"],
    ["diag", "--log=/l"],
    ["check", "server", "--", "--uds-name=/s", "--server-port=0", "--enable-lease-controller"],
    ["check", "agent", "--", "--ca-cert=/c", "--count-server-leases", "--kubeconfig=/k"],
  ],
};

const inPod: Readonly<Record<string, string>> = {
  KUBERNETES_SERVICE_HOST: "10.0.0.1",
  KUBERNETES_SERVICE_PORT: "443",
};
const kinds = ["net", "read", "write", "env", "sys"] as const;

/** What a command line is granted by a launcher, by kind; true: all of it. */
async function grantsOf(role: Role, flags: readonly string[]): Promise<Map<string, true | readonly string[]>> {
  const host = { cwd: "/", env: (name: string) => inPod[name], readText: () => "nameserver 10.0.0.53\n" };
  const result = await permissionsFor(role, flags, host);
  assert.equal(result.kind, "flags", `${role} ${flags.join(" ")}: ${JSON.stringify(result)}`);
  const words = result.kind === "flags" ? result.flags : [];
  return new Map(words.flatMap((flag): [string, true | string[]][] => {
    const [, kind = "", entries] = /^--allow-(\w+)(?:=(.*))?$/.exec(flag) ?? [];
    return kind === "" ? [] : [[kind, entries === undefined ? true : entries.split(",")]];
  }));
}

for (const role of roles) {
  leakTest(`a compiled ${role} may do what any of its command lines needs, but profiles, and no more`, async () => {
    const { metadata: { permissions } } = await compiledProgram(role);
    const used = new Map<string, Set<string>>(kinds.map((kind) => [kind, new Set()]));
    for (const flags of commandLines[role]) {
      for (const [kind, entries] of await grantsOf(role, flags)) {
        const allowed = permissions[`allow_${kind}`];
        assert.ok(Array.isArray(allowed), `${role} ${flags.join(" ")} needs ${kind}`);
        for (const entry of entries === true ? ["anything"] : entries) {
          used.get(kind)?.add(entry);
          assert.ok(allowed.length === 0 || allowed.includes(entry), `${role} ${flags.join(" ")}: ${kind} ${entry}`);
        }
      }
    }
    for (const kind of kinds) {
      const allowed = permissions[`allow_${kind}`] ?? null;
      // An empty list allows everything, and null nothing.
      if (used.get(kind)?.size === 0) assert.equal(allowed, null, `nothing of ${role} needs ${kind}`);
      else if (kind === "env" || kind === "sys") {
        assert.deepEqual([...allowed as string[]].sort(), [...used.get(kind) ?? []].sort(), kind);
      }
    }
    assert.equal(permissions["prompt"], false);
    assert.deepEqual(permissions["ignore_env"], [], "what it may not read of the environment is not set");
    for (const kind of ["run", "ffi", "import"]) assert.deepEqual(permissions[`deny_${kind}`], [], kind);
    for (const kind of ["run", "ffi"]) assert.equal(permissions[`allow_${kind}`], null, kind);
  });
}

leakTest("a crash of the compiler is not taken for a missing stub, nor another failure for either", () => {
  const noStub = "error: Setting up base binary.\n";
  const overflow = compileFailure("proxy-server", {
    code: 134,
    signal: "SIGABRT",
    stderr: "main has overflowed its stack",
  });
  assert.equal(overflow.code, crashCode);
  assert.match(
    overflow.advice,
    /^Error: deno compile itself crashed over proxy-server \(its stack overflowed, SIGABRT\)\./,
  );
  const crash = compileFailure("proxy-agent", { code: 139, signal: "SIGSEGV", stderr: noStub });
  assert.equal(crash.code, crashCode);
  assert.match(
    crash.advice,
    /^Error: deno compile itself crashed over proxy-agent \(SIGSEGV\)\. That is a fault of deno/,
  );
  assert.match(crash.advice, /compile with another version of deno\.\nWithout one, "deno task build" makes launchers/);
  assert.equal(compileFailure("proxy-agent", { code: 1, signal: null, stderr: noStub }).code, noStubCode);
  const other = { code: 1, signal: null, stderr: "error: The module's source code could not be parsed\n" };
  assert.deepEqual(compileFailure("proxy-agent", other), { code: 1, advice: "" });
  return Promise.resolve();
});

/** Has the test client ask the test server, through a server with two workers and an agent, both of which log to files. */
async function carriesRequest(commandOf: (role: Role) => readonly string[]): Promise<void> {
  await using logs = await temporaryFolder();
  const port = await freePort();
  const web = new Program("http-test-server", [...commandOf("test-server"), `--server-port=${port}`]);
  await using _web = web;
  await until("it answers", async () => {
    assert.equal(web.status, undefined, web.log);
    return (await httpGet(port, "/success")).status === 200;
  });
  const toFile = (name: string) => ["--logtostderr=false", `--log-file=${logs.path}/${name}`];
  await using launched = await Launched.start(
    "connect-uds",
    withWorkers({
      serverCommand: commandOf("server"),
      serverFlags: toFile("server"),
      agentCommand: commandOf("agent"),
      agentFlags: toFile("agent"),
    }),
  );
  assert.deepEqual(await tunnelsOfWorkers(launched), [0, 0]);
  const client = await run([
    ...commandOf("test-client"),
    "--mode=http-connect",
    `--proxy-uds=${launched.uds}`,
    "--proxy-host=",
    "--proxy-port=0",
    "--request-host=127.0.0.1",
    `--request-port=${port}`,
  ]);
  assert.equal(client.code, 0, client.stderr);
  assert.match(client.stdout + client.stderr, /The success test page!/);
  launched.server.program.signal("SIGTERM");
  assert.equal(await launched.end(launched.server), 0, launched.logs);
  assert.match(await Deno.readTextFile(`${logs.path}/server`), /proxy server many-worker-1 runs/);
  assert.match(await Deno.readTextFile(`${logs.path}/agent`), /proxy agent \S+ runs/);
}

leakTest("what a compiled program may do is enough to carry a request, with two workers", async () => {
  const folder = await compiled();
  await carriesRequest((role) => {
    const flags = ["--quiet", "--no-config", engineFlags, `--env-file=${environmentFile}`, ...permissionFlags(role)];
    return [Deno.execPath(), "run", ...flags, `${folder}/${bundleOf(role)}`, role];
  });
});

const claim = "compiled programs carry a request from the test client to the test server, with two workers";
if (await hasRealStub()) {
  leakTest(claim, async () => {
    await using folder = await temporaryFolder();
    const outcome = await compileInto(folder.path);
    assert.equal(outcome.code, 0, outcome.stderr);
    const pathOf = (role: Role) => `${folder.path}/bin/${binaries.find(({ program }) => program === role)?.name}`;
    for (const { program, name } of binaries) {
      const { code, stdout, stderr } = await run([pathOf(program), "--version"]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^${name} \\d`));
      assert.match((await run([pathOf(program), "--help"])).stdout, new RegExp(`^ {2}${name} `, "m"));
    }
    await carriesRequest((role) => [pathOf(role)]);
  });
} else {
  const why = `the runtime's stub is not here: have "deno task compile" download it, or name one in DENORT_BIN`;
  Deno.test({ name: `${claim} (skipped: ${why})`, ignore: true, fn: () => {} });
}
