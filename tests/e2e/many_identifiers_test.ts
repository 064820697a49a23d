import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";

/** As many as an agent of the original is known to have had. */
const count = 5_000;
const identifiers = Array.from({ length: count }, (_, at) => `ipv4=10.${at >> 16}.${at >> 8 & 255}.${at & 255}`);

for (const link of ["auto", "grpc"]) {
  leakTest(`an agent may stand for ${count} addresses (--link-protocol=${link})`, async () => {
    await using launched = await Launched.start("grpc-uds", {
      serverFlags: ["--proxy-strategies=destHost"],
      agentFlags: [`--agent-identifiers=${identifiers.join("&")}`, `--link-protocol=${link}`],
    });
    const { body } = await httpGet(launched.server.healthPort, "/metrics");
    assert.match(body, new RegExp(`server_ready_backends\\{proxy_strategy="destHost"\\} ${count}\n`));
  });
}
