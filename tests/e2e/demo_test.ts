import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { processesWith } from "../support/processes/process_list.ts";
import {
  assertTable,
  endsStarting,
  fromBundle,
  fromSource,
  namesFailed,
  startDemo,
  withCertificates,
} from "./demo_runs.ts";

leakTest("the demo makes certificates, passes a request through each frontend and leaves nothing behind", async () => {
  const parent = await Deno.makeTempDir({ prefix: "konnectivity-demo-test-" });
  try {
    const demo = startDemo(fromSource, `--certs=${parent}/new certs`);
    assert.equal((await demo.ended).code, 0, demo.log);
    await demo.stop();
    assert.match(demo.log, new RegExp(`^made certificates in ${parent}/new certs$`, "m"));
    assertTable(demo.log);
    assert.deepEqual(await processesWith(parent), []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

leakTest("a demo whose agent fails names it and shows the end of its log", async () => {
  await namesFailed(
    "agent",
    /^Error: proxy-agent \([^)]+\) ended with exit code 3 before it was seen to connect to its server\n/,
  );
});

leakTest("a demo with certificates that cannot be used says which", async () => {
  await withCertificates(async (certs) => {
    await Deno.remove(`${certs}/agent/private/proxy-agent.key`);
    const demo = startDemo(await fromBundle(), `--certs=${certs}`);
    assert.equal((await demo.ended).code, 1);
    await demo.stop();
    assert.match(demo.log, /^Error: the certificates cannot be used: .*proxy-agent\.crt exists but .*\.key does not/m);
  });
});

leakTest("SIGINT ends a demo that is starting, and its processes", () => endsStarting("SIGINT", 130));
