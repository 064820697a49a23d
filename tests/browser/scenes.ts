import type { Tunnel } from "../../src/client/mod.ts";
import { Chatter, openEcho, PageWorld } from "./page_world.ts";

/** A server with agents and load, which a browser looks at. */
export interface Scene extends AsyncDisposable {
  readonly world: PageWorld;
}

/** Three agents that carry some tunnels to three kubelets and an API of metrics, and a dial that failed. */
export async function smallScene(): Promise<Scene> {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await PageWorld.open("--server-id=konnectivity-server-1"));
  for (const id of ["node-a", "node-b", "node-c"]) {
    await world.agent(id, `--agent-identifiers=host=${id}.example&default-route=true`);
  }
  // Addresses of this machine's own; the ports are those of a cluster.
  const places = [["127.10.0.1", 10_250], ["127.10.0.2", 10_250], ["127.10.0.3", 10_250], [
    "127.10.8.4",
    4_443,
  ]] as const;
  const loads = [[2_000, 40], [24_000, 30], [600, 60], [9_000, 25], [120, 200], [60_000, 60]] as const;
  for (const [at, [bytes, pauseMs]] of loads.entries()) {
    const [host, port] = places[at % places.length] ?? places[0];
    const echo = at < places.length ? parts.use(await openEcho(host, port)) : { address: `${host}:${port}` };
    parts.use(new Chatter(await world.dial(echo.address), bytes, pauseMs));
  }
  await world.dial("127.10.0.9:10250").catch(() => {});
  const rest = parts.move();
  return { world, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

/**
 * Two thousand agents, each with a real link over TLS, and a thousand open tunnels through them, of which some carry bytes.
 * The agents and the clients are in this process, the server is one of its own.
 */
export async function largeScene(agents = 2_000, tunnels = 1_000): Promise<Scene> {
  await using parts = new AsyncDisposableStack();
  const world = parts.use(await PageWorld.open("--server-id=konnectivity-server-1"));
  const ids = Array.from({ length: agents }, (_, at) => `node-${String(at + 1).padStart(4, "0")}`);
  // As agents of a fleet have them: those of a test look for servers twenty times a second.
  await world.agents(ids, "--sync-interval=3s", "--sync-interval-cap=10s");
  const echoes: { readonly address: string }[] = [];
  for (let at = 1; at <= 40; at++) echoes.push(parts.use(await openEcho(`127.10.0.${at}`, 10_250)));
  const open: Tunnel[] = [];
  while (open.length < tunnels) {
    const some = echoes.slice(0, Math.min(echoes.length, tunnels - open.length));
    open.push(...await Promise.all(some.map(({ address }) => world.dial(address))));
  }
  for (const tunnel of open.slice(0, 40)) parts.use(new Chatter(tunnel, 4_000, 250));
  const rest = parts.move();
  return { world, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}
