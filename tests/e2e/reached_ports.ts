import assert from "node:assert/strict";
import { lookup } from "node:dns/promises";
import { get } from "node:http";
import { httpDestination } from "../support/in_process/destinations.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import type { FrontendKind } from "../support/in_process/stack.ts";
import { refusal } from "./reach.ts";

/** An address of this machine that is no loopback one. */
export function interfaceAddresses(): string[] {
  return Deno.networkInterfaces().filter(({ name }) => name !== "lo").map(({ address }) => address)
    .filter((address) => !address.startsWith("fe80:"));
}

/** Names that lead to this machine: its own is often in /etc/hosts. */
async function ownNames(): Promise<string[]> {
  const own = await lookup(Deno.hostname()).then(() => [Deno.hostname()], () => []);
  return ["localhost", "LOCALHOST", ...own];
}

const ownAddresses = [
  ...[
    "127.0.0.1",
    "127.0.0.9",
    "0.0.0.0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]",
  ],
  ...["[::1%1]", "[64:ff9b::127.0.0.1]", ""],
  ...interfaceAddresses().map((address) => address.includes(":") ? `[${address}]` : address),
];

/** What Go's resolver takes for no host; C's takes each for 127.0.0.1. */
const noHosts = [
  "127.1",
  "2130706433",
  "0x7f.1",
  "0x7f000001",
  "0177.0.0.1",
  "127.000.000.001",
  "１２７.0.0.1",
  "0",
];

/** No client reaches the agent's own ports and heap through its tunnel, in no form. */
export async function reachesNoPort(kind: FrontendKind): Promise<void> {
  await using launched = await Launched.start(kind, {
    agentFlags: [
      "--enable-profiling",
      "--enable-heap-snapshots",
      "--admin-bind-address=",
      "--health-server-host=",
    ],
  });
  const { adminPort, healthPort } = launched.agent;
  // Both are there, for whoever is on the machine.
  assert.equal((await httpGet(adminPort, "/debug/pprof/")).status, 200);
  assert.equal((await httpGet(healthPort, "/readyz")).status, 200);
  for (const port of [adminPort, healthPort]) {
    for (const host of [...ownAddresses, ...await ownNames()]) {
      const text = await refusal(launched, `${host}:${port}`);
      assert.match(text, /not allowed: a port of this agent itself/, `${host}:${port}`);
    }
    for (const host of noHosts) {
      const text = await refusal(launched, `${host}:${port}`);
      // Our client for HTTP CONNECT refuses what no header can carry.
      assert.match(text, /lookup .*: no such host|400 Bad Request/, `${host}:${port}`);
    }
  }
  assert.ok(!launched.agent.program.log.includes("cannot be seen"), "the sandbox shows the machine's interfaces");
  await using destination = await httpDestination();
  assert.equal(await refusal(launched, destination.address), "", "other ports of the machine are destinations");
  assert.equal(await refusal(launched, `localhost:${destination.address.split(":").at(-1)}`), "");
}

/** The status of a GET to 127.0.0.1 under a Host header. */
export function statusFor(port: number, path: string, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, agent: false, headers: { host, connection: "close" } });
    request.on("error", reject);
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
  });
}
