/**
 * A server and an agent on a machine of their own whose name server does not answer every question, while clients ask for names
 * and leave. Runs in namespaces where loopback has nothing on port 53, and the system's files on names are the test's own:
 * `tests/e2e/names_test.ts` starts it. Prints what it saw as JSON.
 *
 * Arguments: how many names are asked for, then flags of the agent.
 * @module
 */
import { echoDestination } from "../in_process/destinations.ts";
import { Conversation } from "../in_process/conversation.ts";
import { Launched } from "./launched.ts";
import { NameServer, noSuchName } from "../fakes/name_server.ts";
import { until } from "../assert/until.ts";

/** What the lab saw. */
export interface NamesSeen {
  /** Milliseconds for a tunnel and a round trip through it, by the name that was dialled; the error where there was none. */
  readonly before: Readonly<Record<string, number | string>>;
  /** While the names are being asked for. */
  readonly during: Readonly<Record<string, number | string>>;
  /** Right after all clients left. */
  readonly after: Readonly<Record<string, number | string>>;
  /** Milliseconds from the server's return to the agent's readiness, while the names are being asked for; its name is dialled. */
  readonly relinkedMs: number;
  /** The agent's log told of the lost link meanwhile. */
  readonly logged: boolean;
  /** After resolv.conf named another name server. */
  readonly moved: Readonly<Record<string, number | string>>;
  /** What the client was told of a name that does not exist, and of one that nobody answers for. */
  readonly unknown: string;
  readonly silent: string;
  /** Questions for names that nobody answers for that reached the name server, and those of the last two seconds. */
  readonly asked: number;
  readonly askedLate: number;
}

/** How soon a changed resolv.conf counts, in milliseconds, and some more. */
const rereadMs = 6_000;

async function main(names: number, agentFlags: readonly string[]): Promise<NamesSeen> {
  await using first = await NameServer.listen(
    ({ name }) => name.startsWith("silent") ? undefined : name === "good.example" ? ["127.0.0.1"] : noSuchName,
    "127.0.0.53",
    53,
  );
  await using _second = await NameServer.listen(
    ({ name }) => name === "moved.example" ? ["127.0.0.1"] : noSuchName,
    "127.0.0.54",
    53,
  );
  await using echo = await echoDestination();
  await using launched = await Launched.start("connect-uds", { agentFlags });
  const dial = async (host: string): Promise<number | string> => {
    const began = performance.now();
    try {
      await using client = await launched.client();
      const conversation = new Conversation(await client.dial(`${host}:${echo.port}`));
      const heard = await conversation.ask("are you there");
      await conversation.tunnel.close();
      return heard === "are you there" ? Math.round(performance.now() - began) : "nothing came back";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const dials = async (...hosts: string[]) =>
    Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await dial(host)] as const)));
  const known = ["localhost", "db", "good.example", "127.0.0.1"];
  const before = await dials(...known);

  const leave = new AbortController();
  await using crowd = await launched.client();
  const ask = async (name: string) => {
    try {
      await crowd.dial(`${name}:80`, { signal: leave.signal });
    } catch {
      // It left, or was told that there is no such host.
    }
  };
  // They come again as often as their dials end, so that the names are in flight all the time.
  const asking = Array.from({ length: names }, async (_, at) => {
    for (let round = 0; !leave.signal.aborted; round++) await ask(`silent-${at}-${round}.example`);
  });
  await until("name servers are being asked", () => first.asked.some(({ name }) => name.startsWith("silent")));
  const during = await dials(...known);
  await launched.kill(launched.server);
  await launched.startServer();
  const back = performance.now();
  await launched.ready();
  const relinkedMs = Math.round(performance.now() - back);
  const logged = /lost server|cannot connect to server/.test(launched.agent.program.tail());
  // Server and link are new, and the names are in flight again.
  Object.assign(during, await dials(...known));
  leave.abort(new Error("the clients leave"));
  await Promise.all(asking);
  const after = await dials(...known);
  const asked = first.asked.filter(({ name }) => name.startsWith("silent")).length;

  const unknown = String(await dial("nobody.example"));
  const silent = String(await dial("silent-alone.example"));
  await Deno.writeTextFile("/etc/resolv.conf", "nameserver 127.0.0.54\n");
  await new Promise((resolve) => setTimeout(resolve, rereadMs));
  const late = first.asked.length;
  const moved = await dials("moved.example", "db");
  const askedLate = first.asked.length - late;
  return { before, during, after, relinkedMs, logged, moved, unknown, silent, asked, askedLate };
}

if (import.meta.main) {
  const [names = "0", ...agentFlags] = Deno.args;
  const seen = await main(Number(names), agentFlags);
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(seen)));
  Deno.exit(0);
}
