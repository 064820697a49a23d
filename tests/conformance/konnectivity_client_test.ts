import assert from "node:assert/strict";
import { until } from "../support/assert/until.ts";
import { runClient } from "./go_client.ts";
import { goTest, hasGo, scenariosOf } from "./go_peers.ts";
import { sharedTopology } from "./topology.ts";

/** Scenarios of go/client, and what each shows of the Go client library on a tunnel of ours. */
const claims: Readonly<Record<string, string>> = {
  "echo": "[client 1.7-1] gets back what it sends, and Close is answered",
  "conversation": "goes back and forth 15,000 times, as fast as it can",
  "upload": "[client 6] uploads 10 MiB, every byte in its place",
  "download": "[server 13.8-9] downloads 10 MiB, every byte in its place, and sees the end after the last",
  "parallel": "[client 1.7-15] carries 50 tunnels at once without mixing them up",
  "refused": "[server 13.8-2] learns that the destination refused the connection",
  "no-port": "learns that a destination lacks its port",
  "cancelled": "[server 13.8-5] gives up a dial that hangs, and its tunnel ends",
  "cancelled-parallel": "[server 13.8-6] ends 50 tunnels in use, and every destination is left",
  "tunnel-cancelled": "[server 13.8-8] ends a tunnel below a reader, and the destination is left",
  "speaks-first": "[client 1.4] loses nothing of a destination that speaks first",
  "close": "[client 1.7-5] is answered when it closes a connection that carried nothing",
  "close-after-upload": "[agent 4.7] closes right behind 4 MiB, and the destination gets all of them",
  "reusable": "[client 1.7-13] dials many times over one reusable tunnel, in turn, at once and past a failing dial",
};

const frontends = hasGo
  ? {
    "a Unix socket": sharedTopology("grpc-uds"),
    "mutual TLS": sharedTopology("grpc-tls"),
  }
  : { "a Unix socket": undefined, "mutual TLS": undefined };

/** It takes more time than all the others together: konnectivity_client_long_test.ts has it. */
const longScenario = "conversation";

for (const [transport, topologyOf] of Object.entries(frontends)) {
  for (const [scenario, claim] of Object.entries(claims)) {
    if (scenario === longScenario) continue;
    goTest(`${claim.replace(/^(\[.*?\] )?/, `$1the Go client over ${transport} `)}`, async () => {
      const topology = topologyOf?.();
      if (topology === undefined) return;
      const before = topology.destinations.collect.collected.length;
      await runClient(topology, scenario);
      if (scenario === "close-after-upload") {
        const { collect } = topology.destinations;
        await until("the upload has ended", () => collect.collected.length > before);
        assert.deepEqual(collect.collected.slice(before), [{ bytes: 4 * 1024 * 1024, intact: true }]);
      }
    });
  }
}

goTest("every scenario of the Go client is run", async () => {
  assert.deepEqual(await scenariosOf("client"), Object.keys(claims));
});
