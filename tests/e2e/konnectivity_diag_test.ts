import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { freePort } from "../support/processes/free_port.ts";
import { konnectivity, konnectivityLauncher } from "../support/processes/konnectivity.ts";
import { Launched } from "../support/processes/launched.ts";

/** Files of an archive by their names, as tar reads them. */
async function unpacked(archive: string, folder: string): Promise<ReadonlyMap<string, string>> {
  const tar = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command("tar", { args }).output();
    assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
    return new TextDecoder().decode(stdout);
  };
  const names = (await tar("tzf", archive)).trim().split("\n");
  for (const line of (await tar("tvzf", archive)).trim().split("\n")) assert.match(line, /^-rw-{7} 0\/0 /);
  await Deno.mkdir(folder);
  await tar("xzf", archive, "-C", folder);
  const files = new Map<string, string>();
  for (const name of names) {
    files.set(name.replace(/^konnectivity-diag\//, ""), await Deno.readTextFile(`${folder}/${name}`));
  }
  return files;
}

leakTest("diag gathers a server and an agent, what their command lines come to, and no secret", async () => {
  await using launched = await Launched.start("grpc-tls", {
    serverFlags: ["--server-id=seen-server", "--enable-profiling"],
    agentFlags: ["--agent-id=seen-agent"],
  });
  const { server, agent, folder, certificates } = launched;
  const log = `${folder}/own.log`;
  const token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl";
  await Deno.writeTextFile(log, `first line\nAuthorization: Bearer ${token}\nlast line\n`);
  const archive = `${folder}/diag.tar.gz`;
  const { code, stdout, stderr } = await konnectivity([
    "diag",
    "--timeout=2m",
    ...["--admin", `127.0.0.1:${server.adminPort}`, "--admin", `127.0.0.1:${agent.adminPort}`],
    ...["--health", `127.0.0.1:${agent.healthPort}`, "--log", log, "--events=1", "--cpu=1", "-o", archive],
    ...["agent", "--", `--ca-cert=${certificates.caCert}`, `--agent-key=${certificates.clientKey}`],
    ...[`--agent-cert=${certificates.clientCert}`, "--proxy-server-host=127.0.0.1"],
    ...[`--proxy-server-port=${server.agentPort}`, `--service-account-token-path=${token}`],
  ]);
  // The agent runs with other flags, and makes no profile.
  assert.equal(code, 2, stderr);
  assert.equal(stdout, `${archive}\n`);
  assert.equal(((await Deno.stat(archive)).mode ?? 0) & 0o777, 0o600);
  assert.match(stderr, /^processor profile of 127\.0\.0\.1:\d+: [\d.]+ (?:B|KiB|MiB)$/m);
  assert.match(
    stderr,
    /^missing: processor profile of 127\.0\.0\.1:\d+: .* makes no profiles: start it with --enable-pr/m,
  );

  const files = await unpacked(archive, `${folder}/unpacked`);
  const [ofServer, ofAgent] = [`server-127.0.0.1-${server.adminPort}`, `agent-127.0.0.1-${agent.adminPort}`];
  assert.deepEqual([...files.keys()].sort(), [
    "README.txt",
    ...["events.jsonl", "metrics.txt", "status.json", "status.txt"].map((name) => `${ofAgent}/${name}`),
    "check.json",
    "check.txt",
    "configuration.json",
    "logs/1-own.log",
    "missing.txt",
    ...["cpu.cpuprofile", "events.jsonl", "metrics.txt", "status.json", "status.txt"].map((name) =>
      `${ofServer}/${name}`
    ),
    "versions.json",
  ]);
  const of = (name: string) => files.get(name) ?? assert.fail(name);
  assert.equal(JSON.parse(of(`${ofServer}/status.json`)).server.id, "seen-server");
  assert.match(of(`${ofServer}/metrics.txt`), /^konnectivity_network_proxy_server_ready_backends/m);
  assert.match(of(`${ofAgent}/metrics.txt`), /^konnectivity_network_proxy_agent_open_server_connections 1$/m);
  assert.ok(JSON.parse(of(`${ofServer}/cpu.cpuprofile`)).nodes.length > 0);
  assert.equal(JSON.parse(of(`${ofAgent}/events.jsonl`).split("\n")[0] ?? "").id, "seen-agent");
  assert.match(of("logs/1-own.log"), /^first line\nAuthorization: \[redacted\]\nlast line\n$/);
  assert.match(of("check.txt"), /^ok +certificates /m);
  assert.match(of("README.txt"), /name agents, clients, destinations/);
  assert.equal(of("missing.txt").trim().split("\n").length, 1, of("missing.txt"));
  const { konnectivity: version, runtime, system, programs } = JSON.parse(of("versions.json"));
  assert.match(`${version} ${runtime.deno} ${system.release}`, /^\d+\.\d+\.\d+ \d+\.\d+\.\d+ \d+\./);
  assert.deepEqual(programs.map(({ name }: { name: string }) => name), ["proxy-server", "proxy-agent"]);
  const { commandLine } = JSON.parse(of("configuration.json"));
  assert.ok(commandLine.flags.includes(`--agent-key=${certificates.clientKey}`), commandLine.flags);
  const key = (await Deno.readTextFile(certificates.clientKey)).split("\n")[1] ?? assert.fail();
  for (const [name, text] of files) {
    assert.ok(!text.includes(token) && !text.includes("PRIVATE KEY-") && !text.includes(key), name);
  }

  const again = await konnectivity(["diag", "-o", archive]);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /^Error: .*diag\.tar\.gz is there already: name another file with -o/);
});

leakTest("diag names what cannot be had, and the rest is there; a heap snapshot is asked for by name", async () => {
  await using launched = await Launched.start("connect-uds", {
    serverFlags: ["--enable-profiling", "--enable-heap-snapshots"],
  });
  const { server, agent, folder } = launched;
  const archive = `${folder}/diag.tar.gz`;
  const args = ["diag", "--timeout=2m", "--events=0", "--log", `${folder}/gone.log`, "--log", folder, "-o", archive];
  const gone = await freePort();
  const some = await konnectivity([
    ...args,
    `--admin=127.0.0.1:${gone},127.0.0.1:${server.adminPort},127.0.0.1:${agent.adminPort},127.0.0.1:${server.healthPort}`,
    "--heap",
  ]);
  assert.equal(some.code, 2, some.stderr);
  assert.match(some.stderr, /^WARNING: the heap snapshot of .* holds its PRIVATE KEYS AND TOKENS IN CLEAR TEXT/m);
  const files = await unpacked(archive, `${folder}/unpacked`);
  const missing = files.get("missing.txt") ?? assert.fail();
  for (
    const what of [
      new RegExp(`^status, metrics and events of 127\\.0\\.0\\.1:${gone}: nothing listens at `, "m"),
      new RegExp(`^status of 127\\.0\\.0\\.1:${server.healthPort}: .* has no /status: it is a health port`, "m"),
      new RegExp(
        `^metrics of 127\\.0\\.0\\.1:${agent.adminPort}: .* to be named: --health 127.0.0.1:${agent.healthPort}`,
        "m",
      ),
      new RegExp(`^heap snapshot of 127\\.0\\.0\\.1:${agent.adminPort}: .* makes no profiles: start it with`, "m"),
      /^log .*gone\.log: .*gone\.log is not there$/m,
      /^log .*: .* is no regular file$/m,
    ]
  ) assert.match(missing, what);
  const snapshot = files.get(`server-127.0.0.1-${server.adminPort}/HOLDS-KEYS.heapsnapshot`) ?? assert.fail();
  assert.ok(JSON.parse(snapshot).snapshot.meta !== undefined);
  assert.match(files.get("README.txt") ?? "", /A HEAP SNAPSHOT HOLDS PRIVATE KEYS/);

  const piped = await new Deno.Command("bash", {
    args: ["-c", `"$0" "$@" -o - | tar tz`, ...await launcherAnd(["diag", `--admin=127.0.0.1:${gone}`, "--events=0"])],
    env: { LC_ALL: "C.UTF-8" },
  }).output();
  const names = new TextDecoder().decode(piped.stdout).trim().split("\n");
  assert.deepEqual(
    names,
    ["versions", "missing", "README"].map((name) =>
      `konnectivity-diag/${name}.${name === "versions" ? "json" : "txt"}`
    ),
  );

  const nowhere = await konnectivity(["diag", "--events=0", "-o", `${folder}/no/such.tar.gz`]);
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /^Error: cannot write .*: its folder is not there; name a file in a folder/);
});

async function launcherAnd(args: readonly string[]): Promise<string[]> {
  return [await konnectivityLauncher(), ...args];
}
