import assert from "node:assert/strict";
import { leakTest } from "../support/assert/leak_free.ts";
import { until } from "../support/assert/until.ts";
import { EventReader } from "../support/processes/event_reader.ts";
import { Launched } from "../support/processes/launched.ts";
import { httpGet } from "../support/processes/processes.ts";
import { watchesBoth } from "./watched_programs.ts";

leakTest(
  "connect-uds: who watches server and agent sees the same dials and ends of tunnels, and who comes and goes",
  () => watchesBoth("connect-uds"),
);

/** More than the kernel's buffers of a connection hold, on either side, with what waits in the program. */
async function beyondBuffers(): Promise<number> {
  // Least, default and most. The receiver's buffer grows only for who reads.
  const [, , sent] = (await Deno.readTextFile("/proc/sys/net/ipv4/tcp_wmem")).trim().split(/\s+/);
  return Number(sent) + 8 * 1024 * 1024;
}

leakTest(
  "a reader that stops for a while loses events, is told how many, and holds up neither dials nor other readers",
  async () => {
    await using launched = await Launched.start("grpc-uds");
    await launched.kill(launched.agent);
    const query = "?type=dial&outcome=failed";
    using slow = await EventReader.open(launched.server.adminPort, query);
    using fast = await EventReader.open(launched.server.adminPort, query);
    slow.pause();
    // There is no agent, so that a dial is quick; the destination makes its event long.
    const destination = `${"語".repeat(250)}:1`;
    await using client = await launched.client();
    let dials = 0;
    const dialSome = async () => {
      await Promise.all(Array.from({ length: 200 }, () => assert.rejects(client.dial(destination))));
      dials += 200;
      await until("the fast one has them", () => fast.all("dial").length === dials);
    };
    await dialSome();
    const eventBytes = new TextEncoder().encode(JSON.stringify(fast.all("dial")[0])).length;
    const enough = await beyondBuffers();
    while (dials * eventBytes < enough) await dialSome();
    assert.equal((await httpGet(launched.server.adminPort, "/status")).status, 200);
    slow.resume();
    await until("the slow one knows of all", () => {
      const lost = slow.all("lost").reduce((sum, { count }) => sum + Number(count), 0);
      return lost > 0 && slow.all("dial").length + lost === dials;
    });
    assert.deepEqual(fast.all("lost"), []);
    await dialSome();
    await until("it goes on", () => slow.all("dial").some(({ id }) => id === fast.all("dial").at(-1)?.["id"]));
  },
);
