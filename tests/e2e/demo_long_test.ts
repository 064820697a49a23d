import assert from "node:assert/strict";
import type { Role } from "../../src/programs/permissions/permissions_command.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import {
  assertTable,
  brokenDemo,
  endsStarting,
  fromSource,
  namesFailed,
  patienceMs,
  startDemo,
  withCertificates,
} from "./demo_runs.ts";

const breakages: readonly (readonly [Role, RegExp])[] = [
  ["test-server", /^Error: http-test-server ended with exit code 3 before it was seen to answer\n/],
  ["server", /^Error: proxy-server \([^)]+\) ended with exit code 3 before it was seen to answer\n/],
  ["test-client", /^Error: proxy-test-client \(gRPC, mutual TLS\) ended with exit code 3\n/],
];
for (const [role, message] of breakages) {
  leakTest(`a demo whose ${role} fails names it and shows the end of its log`, () => namesFailed(role, message));
}

leakTest("a demo whose program cannot be started names it", async () => {
  await withCertificates(async (certs) => {
    const told = await brokenDemo(certs, "test-server", [`${certs}/no-such-program`]);
    assert.match(told, /^Error: http-test-server ended with exit code 127 before it was seen to answer\n/);
    assert.match(told, /no-such-program/);
    const log = /^its log is (\S+), /m.exec(told)?.[1] ?? "";
    await Deno.remove(log.replace(/\/[^/]+$/, ""), { recursive: true });
  });
});

for (const [signal, code] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  leakTest(`${signal} ends a demo that is starting, and its processes`, () => endsStarting(signal, code));
}

leakTest("a demo that is kept runs until Ctrl-C, and the commands that it prints work", async () => {
  await withCertificates(async (certs) => {
    const demo = startDemo(fromSource, `--certs=${certs}`, "--keep");
    await until("the demo is up", () => {
      assert.equal(demo.status, undefined, demo.log);
      return demo.log.includes("running until Ctrl-C");
    }, patienceMs);
    assertTable(demo.log);
    for (const start of ["curl -v -p ", "deno task "]) {
      const command = demo.log.split("\n").find((line) => line.startsWith(start)) ?? "";
      const answer = await new Deno.Command("sh", { args: ["-c", command], stdout: "piped", stderr: "piped" }).output();
      const told = new TextDecoder().decode(answer.stdout) + new TextDecoder().decode(answer.stderr);
      assert.match(told, /The success test page!/, command);
    }
    demo.signal("SIGINT");
    assert.equal((await demo.ended).code, 0, demo.log);
    await demo.stop();
  });
});
