/** The audit log as operators have it: a file that is rotated under load, a disk that is full, standard output. */
import assert from "node:assert/strict";
import { connect } from "../../src/client/mod.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { testCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { agentFlagsOf, Launched, serverFlagsOf } from "../support/processes/launched.ts";
import { httpGet, startAgent, startServer } from "../support/processes/processes.ts";
import { linesOf, rotatesUnderLoad, talk } from "./audit_log.ts";

for (const [kind, ...flags] of [["connect-uds", "--workers=2"]] as const) {
  leakTest(`${kind} ${flags.join(" ")}: rotated under load, the log has every dial and every end, once`, async () => {
    await rotatesUnderLoad(kind, ...flags);
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
      // Without an agent dials fail at once. Their lines have more than 1,000 bytes, and 4 MiB may wait.
      while (await lost() === 0) {
        const dials = Array.from({ length: 200 }, () => client.dial(`${"x".repeat(1_000)}:1`).then(() => {}, () => {}));
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
