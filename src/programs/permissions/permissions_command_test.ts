import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ownCode, runPermissionsCommand } from "./permissions_command.ts";
import { wholeCode } from "./program_code.ts";

/** Runs the command; what it printed. */
async function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = "";
  let error = "";
  const code = await runPermissionsCommand(args, {
    cwd: "/work",
    env: () => undefined,
    readText: () => {
      throw new Error("no file");
    },
    out: (text) => void (out += text),
    error: (text) => void (error += text),
  });
  return { code, out, error };
}

Deno.test("the command prints one flag a line", async () => {
  const { code, out, error } = await run("test-server", "--server-port=8001");
  assert.equal(code, 0);
  assert.equal(error, "");
  assert.equal(
    out,
    "--no-prompt\n--allow-net=127.0.0.1:8001\n--ignore-env\n--deny-run\n--deny-ffi\n--deny-sys\n--deny-import\n",
  );
});

Deno.test("asking a program for help needs no permission", async () => {
  for (const flag of ["--help", "--version"]) {
    assert.deepEqual((await run("server", flag)).out.trim().split("\n").toSorted(), [
      "--deny-ffi",
      "--deny-import",
      "--deny-run",
      "--deny-sys",
      "--ignore-env",
      "--no-prompt",
    ]);
  }
});

Deno.test("a mistake in the flags is told as the program itself would, with exit code 1", async () => {
  const { code, out, error } = await run("agent", "--nope");
  assert.equal(code, 1);
  assert.equal(out, "");
  assert.match(error, /^Error: unknown flag: --nope\nUsage:\n {2}proxy-agent \[flags\]/);
});

Deno.test("konnectivity may ask the admin ports that its command line names, and read its terminal's variables", async () => {
  const status = (await run("konnectivity", "status", "--admin=[::1]:9")).out.split("\n");
  assert.deepEqual(status.filter((flag) => flag.startsWith("--allow")), [
    "--allow-net=[::1]:9",
    "--allow-env=NO_COLOR,TERM,LC_ALL,LC_CTYPE,LANG",
  ]);
  const usual = (await run("konnectivity", "status")).out.split("\n");
  assert.ok(usual.includes("--allow-net=127.0.0.1:8095,127.0.0.1:8094"));
  assert.ok((await run("konnectivity", "--help")).out.includes("--deny-sys"));
  assert.match((await run("konnectivity", "nope")).error, /^Error: unknown subcommand "nope"/);
});

Deno.test("a check may read and reach what the command lines name: no destinations, and nothing for a pod", async () => {
  const granted = async (...args: string[]) =>
    (await run("konnectivity", "check", ...args)).out.split("\n").filter((flag) =>
      /^--allow-(?:net|read|write)/.test(flag)
    );
  const agent = ["agent", "--", "--ca-cert=/c", "--proxy-server-host=10.0.0.7", "--health-server-host=127.0.0.1"];
  assert.deepEqual(await granted(...agent), [
    "--allow-net=127.0.0.1:8093,127.0.0.1:8094,10.0.0.7:8091",
    "--allow-read=/c",
  ]);
  assert.deepEqual(await granted("--admin=127.0.0.1:1", "--egress-selector=e.yaml"), [
    "--allow-net=127.0.0.1:1",
    "--allow-read=e.yaml",
  ]);
  const socket = ["server", "--", "--uds-name=s/u", "--server-port=0", "--agent-bind-address=::1"];
  const [net = "", read, write] = await granted(...socket);
  assert.ok(net.includes("unix:/work/s/u,") || net.endsWith("unix:/work/s/u"), net);
  assert.ok(net.includes("[::1]:8091"), net);
  assert.deepEqual([read, write], ["--allow-read=/work/s/u,/work/s", "--allow-write=/work/s/u"]);
  assert.deepEqual(await granted("-f", "gone.yaml"), ["--allow-read=gone.yaml"]);
});

Deno.test("a diagnosis may also read logs, ask health ports, and write its archive", async () => {
  const granted = async (...args: string[]) =>
    (await run("konnectivity", "diag", ...args)).out.split("\n").filter((flag) =>
      /^--allow-(?:net|read|write|sys)/.test(flag)
    );
  assert.deepEqual(await granted("--admin=127.0.0.1:1", "--health=[::1]:2", "--log=/l", "-o", "/d.tar.gz"), [
    "--allow-net=127.0.0.1:1,127.0.0.1:8093,[::1]:2",
    "--allow-read=/l,/d.tar.gz,/d.tar.gz.part",
    "--allow-write=/d.tar.gz,/d.tar.gz.part",
    "--allow-sys=osRelease",
  ]);
  assert.deepEqual(await granted("--admin=127.0.0.1:1", "-o", "-", "agent", "--", "--ca-cert=/c"), [
    "--allow-net=127.0.0.1:1,127.0.0.1:8093,0.0.0.0:8093,[::]:8093,127.0.0.1:8094,127.0.0.1:8091",
    "--allow-read=/c",
    "--allow-sys=osRelease",
  ]);
});

Deno.test("an unknown program is told with those that are known", async () => {
  const { code, error } = await run("proxy");
  assert.equal(code, 1);
  assert.match(
    error,
    /unknown program "proxy", one of server, agent, test-client, test-server, konnectivity is needed/,
  );
  assert.equal((await run()).code, 1);
  assert.equal((await run("--help")).code, 0);
});

Deno.test("a program's code is one file where it was built into one, else its folders", () => {
  assert.deepEqual(ownCode("file:///a%20b/dist/k.js", "file:///a%20b/dist/k.js"), wholeCode(["/a b/dist/k.js"]));
  assert.deepEqual(
    ownCode("file:///k/src/programs/permissions/permissions_command.ts", "file:///k/main.ts"),
    wholeCode(["/k/main.ts", "/k/src", "/k/gen", "/k/deno.json"]),
  );
});

Deno.test("a launcher that is ended while it asks for permissions leaves no exception in the log", async () => {
  const main = fileURLToPath(new URL("../../../main.ts", import.meta.url));
  const asked = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    "--allow-read",
    "--allow-env",
    main,
    "permissions",
    "test-server",
  ];
  const { stderr } = await new Deno.Command("sh", { args: ["-c", '"$@" | true', "sh", ...asked], stderr: "piped" })
    .output();
  assert.equal(new TextDecoder().decode(stderr), "");
});

Deno.test("a kubeconfig that is a pipe or a device keeps no launcher waiting, and grants no more than to read it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const pipe = `${folder}/pipe`;
    assert.ok((await new Deno.Command("mkfifo", { args: [pipe] }).output()).success);
    for (const path of [pipe, "/dev/zero"]) {
      const main = fileURLToPath(new URL("../../../main.ts", import.meta.url));
      const { success, stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-q",
          "--no-check",
          "-A",
          main,
          "permissions",
          "agent",
          "--count-server-leases",
          `--kubeconfig=${path}`,
        ],
        // Before, the one waited for a writer and the other for the end of its memory.
        signal: AbortSignal.timeout(60_000),
      }).output();
      assert.ok(success);
      assert.ok(new TextDecoder().decode(stdout).includes(`${path}`), path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
