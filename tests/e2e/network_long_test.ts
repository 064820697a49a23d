import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { NetworkNamespace } from "../support/processes/network_namespace.ts";
import { Program } from "../support/processes/processes.ts";
import { dialsAtOnce, dialsManyAtOnce } from "./dials_at_once.ts";

async function kill(program: Program): Promise<void> {
  program.signal("SIGKILL");
  await program.ended;
  await program.stop();
}

leakTest("a peer that vanished is probed every 15 s, as with Go", async () => {
  await using near = await NetworkNamespace.open();
  await using far = await NetworkNamespace.open();
  for (
    const command of [
      `ip link add near type veth peer name far netns ${far.pid}`,
      "ip addr add 10.9.0.1/24 dev near",
      "ip link set near up",
    ]
  ) assert.deepEqual(await near.run(...command.split(" ")), { ok: true, text: "" });
  for (const command of ["ip addr add 10.9.0.2/24 dev far", "ip link set far up"]) {
    assert.deepEqual(await far.run(...command.split(" ")), { ok: true, text: "" });
  }
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  const probes = new URL("../../src/runtime/keepalive_probes.ts", import.meta.url).href;
  await Deno.writeTextFile(
    `${folder}/server.ts`,
    `import { createServer } from "node:net";
     import { probeWhenSilent } from ${JSON.stringify(probes)};
     createServer((socket) => probeWhenSilent(socket.on("error", () => {}).resume()))
       .listen(7000, "10.9.0.1", () => console.log("listening"));`,
  );
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const server = new Program(
    "server",
    near.command(Deno.execPath(), "run", "-A", "-q", "--no-check", "--config", config, `${folder}/server.ts`),
  );
  const programs = [server];
  try {
    await until("it listens", () => server.log.includes("listening"));
    const client = new Program(
      "client",
      far.command("bash", "-c", "exec 3<>/dev/tcp/10.9.0.1/7000; echo open; exec sleep 180"),
    );
    programs.push(client);
    await until("the connection is open", () => client.log.includes("open"));
    await far.run("ip", "link", "set", "far", "down");
    // With the system's interval the third probe would come after 165 s.
    await until("it was probed three times", async () => {
      const { text } = await near.run("ss", "--no-header", "--tcp", "--numeric", "--options", "state", "established");
      return /timer:\(keepalive,[^,]+,[3-9]\)/.test(text);
    }, 120_000);
  } finally {
    for (const program of programs) await kill(program);
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest(`${dialsAtOnce} dials at once on the Unix socket all succeed, 2 workers`, () => dialsManyAtOnce(2));
