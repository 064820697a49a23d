/** The audit log as operators have it: a file that is rotated under load, a disk that is full, standard output. */
import assert from "node:assert/strict";
import type { ProxyClient } from "../../src/client/mod.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { agentFlagsOf, Launched, serverFlagsOf } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { httpGet, startAgent, startServer } from "../support/processes/processes.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { until } from "../support/assert/until.ts";
import { connect } from "../../src/client/mod.ts";

// deno-lint-ignore no-explicit-any -- lines are read as whoever processes the log reads them
type Line = any;

async function linesOf(...paths: readonly string[]): Promise<Line[]> {
  const texts = await Promise.all(paths.map((path) => Deno.readTextFile(path)));
  return texts.join("").split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function talk(client: ProxyClient, address: string): Promise<void> {
  await using tunnel = await client.dial(address);
  const conversation = new Conversation(tunnel);
  assert.equal(await conversation.ask("hello"), "hello");
}

const kinds = [["grpc-tls", []], ["connect-tls", []], ["connect-uds", ["--workers=2"]]] as const;

for (const [kind, flags] of kinds) {
  leakTest(`${kind} ${flags.join(" ")}: rotated under load, the log has every dial and every end, once`, async () => {
    await using echo = await echoDestination();
    const folder = await Deno.makeTempDir();
    const path = `${folder}/audit.log`;
    const moved: string[] = [];
    try {
      const dials = 300;
      {
        await using launched = await Launched.start(kind, { serverFlags: [...flags, `--audit-log=${path}`] });
        let done = 0;
        let rotating = true;
        const rotate = async () => {
          while (rotating) {
            const before = done;
            await until("dials went on", () => done >= Math.min(dials, before + 20));
            const to = `${path}.${moved.length + 1}`;
            await Deno.rename(path, to);
            moved.push(to);
            launched.server.program.signal("SIGHUP");
            // As logrotate without a delay would find the next file; until then nothing is renamed.
            await until("there is a new file", () => Deno.stat(path).then(() => true, () => false));
          }
        };
        const rotation = rotate();
        await using client = await launched.client();
        const work = async () => {
          while (done < dials) {
            done++;
            await talk(client, echo.address);
          }
        };
        await Promise.all(Array.from({ length: 8 }, work));
        rotating = false;
        await rotation;
      }
      assert.ok(moved.length >= 3, String(moved.length));
      assert.equal(((await Deno.stat(path)).mode ?? 0) & 0o777, 0o600);
      const lines = await linesOf(...moved, path);
      const opened = lines.filter(({ event }) => event === "dial");
      const closed = lines.filter(({ event }) => event === "close");
      assert.equal(opened.length + closed.length, lines.length);
      assert.ok(opened.length >= dials);
      assert.equal(new Set(opened.map(({ id }) => id)).size, opened.length);
      assert.deepEqual(new Set(closed.map(({ id }) => id)), new Set(opened.map(({ id }) => id)));
      assert.equal(closed.length, opened.length);
      for (const { outcome, destination, resolved, client, agent } of opened) {
        assert.deepEqual([outcome, destination], ["connected", echo.address]);
        assert.equal(resolved, echo.address.replace("localhost", "127.0.0.1"));
        assert.equal(client.frontend, kind.startsWith("grpc") ? "grpc" : "http-connect");
        assert.equal(client.name, kind.endsWith("uds") ? "unix" : "test client");
        assert.match(agent.address, /^127\.0\.0\.1:\d+$/);
        assert.equal(agent.certificate.commonName, "test client");
      }
      for (const { bytesToDestination, bytesFromDestination, seconds } of closed) {
        assert.ok(bytesToDestination >= 5 && bytesFromDestination >= 5 && seconds >= 0);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

leakTest("a full disk ends and stalls nothing; once there is room the log goes on and says what is lost", async () => {
  await using echo = await echoDestination();
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/audit.log`;
    await Deno.symlink("/dev/full", path);
    const certificates = await writeTestCertificates(folder, await testCertificates());
    const uds = `${folder}/s`;
    {
      await using server = await startServer([
        ...serverFlagsOf("connect-uds", { certificates, uds, port: 0 }),
        `--audit-log=${path}`,
      ]);
      await using client = await connect({ mode: "http-connect", transport: "unix", path: uds });
      const lost = async () => {
        const { body } = await httpGet(server.healthPort, "/metrics");
        return Number(/^konnectivity_network_proxy_server_audit_lines_lost_total (\d+)$/m.exec(body)?.[1]);
      };
      // Without an agent dials fail at once. Their lines have some 400 bytes, and 4 MiB may wait.
      while (await lost() === 0) {
        const dials = Array.from({ length: 200 }, () => client.dial(`${"x".repeat(200)}:1`).then(() => {}, () => {}));
        await Promise.all(dials);
      }
      await using agent = await startAgent(agentFlagsOf(certificates, server.agentPort));
      await agent.ready();
      await server.ready();
      await talk(client, echo.address);
      assert.match(server.program.log, /cannot write the audit log, trying again: .*No space left/);
      await Deno.remove(path);
      server.program.signal("SIGHUP");
      await until("the log goes on", async () => (await linesOf(path).catch(() => [])).length > 0);
      await talk(client, echo.address);
    }
    const lines = await linesOf(path);
    const said = lines.filter(({ event }) => event === "lost");
    assert.equal(said.length, 1);
    assert.ok(said[0].count > 0);
    assert.deepEqual(lines.slice(-2).map(({ event }) => event), ["dial", "close"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("to standard output, the log is all that is there, and SIGHUP ends nothing", async () => {
  await using echo = await echoDestination();
  const folder = await Deno.makeTempDir();
  try {
    await using launched = await Launched.start("connect-uds", { serverFlags: ["--audit-log=-"] });
    await using client = await launched.client();
    launched.server.program.signal("SIGHUP");
    await talk(client, echo.address);
    await until("both lines are there", () => /"event":"close"/.test(launched.server.program.log));
    const lines = launched.server.program.log.split("\n").filter((line) => line.startsWith("{"));
    assert.deepEqual(lines.map((line) => JSON.parse(line).event), ["dial", "close"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("a file that cannot be written is refused at the start, by the sandbox too", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const certificates = await writeTestCertificates(folder, await testCertificates());
    await assert.rejects(
      startServer([
        ...serverFlagsOf("connect-uds", { certificates, uds: `${folder}/s`, port: 0 }),
        `--audit-log=${folder}/none/audit.log`,
      ]),
      /cannot write the audit log .*none\/audit\.log: .*[Nn]o such file/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
