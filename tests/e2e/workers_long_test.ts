import assert from "node:assert/strict";
import { Launched } from "../support/processes/launched.ts";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { withWorkers } from "../support/processes/workers.ts";

leakTest("workers write one log file, and each line says whose it is", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-" });
  try {
    const path = `${folder}/server.log`;
    await using _launched = await Launched.start(
      "connect-uds",
      withWorkers({ serverFlags: ["--logtostderr=false", `--log-file=${path}`, "--logging-format=json"] }),
    );
    let text = "";
    await until("both have logged", async () => {
      text = await Deno.readTextFile(path);
      return ["many runs", "many-worker-1 runs"].every((words) => text.includes(words));
    });
    const whole = text.slice(0, text.lastIndexOf("\n")).split("\n");
    const lines = whole.map((line): Record<string, unknown> => JSON.parse(line));
    const runs = lines.filter(({ msg }) => /^proxy server \S+ runs$/.test(String(msg)));
    assert.deepEqual(runs.map(({ worker, serverId }) => [worker, serverId]).sort(), [[0, "many"], [
      1,
      "many-worker-1",
    ]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

leakTest("a port that is in use is an error, also where its user would share it", async () => {
  await using launched = await Launched.start("connect-tls", withWorkers());
  await assert.rejects(
    Launched.start("connect-uds", withWorkers({ serverFlags: [`--agent-port=${launched.server.agentPort}`] })),
    /failed to run the proxy server: cannot listen on 127.0.0.1:\d+: address already in use/,
  );
});
