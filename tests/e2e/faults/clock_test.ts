import assert from "node:assert/strict";
import { get } from "node:http";
import { whyMissing } from "../../support/assert/needed.ts";
import { until } from "../../support/assert/until.ts";
import { Conversation } from "../../support/in_process/conversation.ts";
import { faultTest, FaultWorld } from "./fault_world.ts";

const programs = await whyMissing({ faketime: ["faketime", "-f", "+0", "true"] });
const hourMs = 3_600_000;

/** The path of the library by which a process sees another time of day, as `faketime` itself gives it to a program. */
async function preload(): Promise<string> {
  const { stdout } = await new Deno.Command("faketime", { args: ["-m", "-f", "+0", "printenv", "LD_PRELOAD"] })
    .output();
  return new TextDecoder().decode(stdout).trim();
}

/** How far a program's time of day is from this process's, by its answers. */
function offsetMs(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/healthz", agent: false }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(Date.parse(answer.headers.date ?? "") - Date.now()));
    }).on("error", reject);
  });
}

faultTest("the clock jumps by an hour, and by two hours back", async () => {
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-clock-" });
  const clock = `${folder}/clock`;
  const jump = async (offset: string) => {
    // At once: a file that is being written would be no time.
    await Deno.writeTextFile(`${clock}.new`, `${offset}\n`);
    await Deno.rename(`${clock}.new`, clock);
  };
  try {
    await jump("+0");
    await using world = await FaultWorld.start("grpc-tls", {
      env: {
        LD_PRELOAD: await preload(),
        FAKETIME_TIMESTAMP_FILE: clock,
        FAKETIME_NO_CACHE: "1",
        // Lengths of time are measured by the other clock, which does not jump.
        DONT_FAKE_MONOTONIC: "1",
      },
    });
    const { launched } = world;
    await using client = await launched.client();
    const open = new Conversation(await client.dial(world.echo.address));
    await world.goesOn();
    for (const [offset, hours] of [["+3600s", 1], ["-3600s", -1], ["+0", 0]] as const) {
      await jump(offset);
      for (const { healthPort } of [launched.server, launched.agent]) {
        await until(
          `its clock is at ${offset}`,
          async () => Math.abs(await offsetMs(healthPort) - hours * hourMs) < 60_000,
        );
      }
      await world.goesOn();
      assert.equal(await open.ask(offset), offset);
    }
    for (const { program } of [launched.server, launched.agent]) {
      assert.doesNotMatch(program.log, /lost server|disconnected|backend .* gone/, program.tail());
    }
    await open.tunnel.close();
    await world.end();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}, { programs });
