/**
 * Prints what a neighbour and the programs see under every flood:
 *
 *     deno run -A tests/bench/floods.ts [SECONDS] [PATTERN] [FLAG OF THE SERVER...]
 *
 * With `KONNECTIVITY_SERVER_COMMAND` and `KONNECTIVITY_AGENT_COMMAND` it floods another implementation.
 * @module
 */
import { print } from "../../src/programs/terminal.ts";
import { FloodRig } from "../support/floods/flood_rig.ts";
import { floods } from "../support/floods/floods.ts";
import { isForeign } from "../support/processes/processes.ts";

const seconds = Number(Deno.args[0] ?? 5);
const pattern = new RegExp(Deno.args[1] ?? "");
const serverFlags = Deno.args.slice(2);

for (const name of Object.keys(floods)) {
  if (!pattern.test(name)) continue;
  // A direct link is nothing that the original knows.
  if (name.startsWith("link:") && isForeign("server")) continue;
  try {
    await using rig = await FloodRig.start(name.startsWith("connect:") ? "connect-uds" : "grpc-uds", { serverFlags });
    const target = /^(?:link|agents):/.test(name) ? await rig.agents() : await rig.frontend();
    const { answers, answeredSeconds, worstMs, serverMiB, agentMiB, flooded, seconds: whole } = await rig.flood(
      name,
      seconds,
      target,
    );
    print(
      `${name}: ${worstMs} ms at worst, ${answers} round trips in ${answeredSeconds} of ${whole} s; ` +
        `server ${serverMiB} MiB, agent ${agentMiB} MiB; ${flooded.connections} connections, ${flooded.ended} ended, ` +
        `${Math.round(flooded.bytes / 2 ** 20)} MiB`,
    );
  } catch (error) {
    print(`${name}: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`);
  }
}
