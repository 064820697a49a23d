import { connect, type ProxyClient } from "../../src/client/mod.ts";
import { type Destinations, startDestinations } from "../support/in_process/destinations.ts";
import { freePort } from "../support/processes/free_port.ts";
import { agentFlagsOf, serverFlagsOf } from "../support/processes/launched.ts";
import { launcherOf, type Program, startAgent, startServer } from "../support/processes/processes.ts";
import { makeTestCertificates, writeTestCertificates } from "../support/in_process/test_certificates.ts";
import { hostileAddress, type HostileServer, startHostileServer } from "./hostile_server.ts";
import { Neighbour } from "./neighbour.ts";
import type { Random } from "./random.ts";
import { credentialsOf, type FuzzCredentials, type FuzzTarget } from "./targets.ts";

/** How one server of the fleet differs from the others. */
interface Variant {
  readonly name: string;
  readonly mode: "grpc" | "http-connect";
  readonly overTls: boolean;
  /** Anybody may be an agent. */
  readonly openToAgents: boolean;
  readonly serverFlags: readonly string[];
}

const variants: readonly Variant[] = [
  { name: "grpc-tls", mode: "grpc", overTls: true, openToAgents: false, serverFlags: [] },
  { name: "connect-tls", mode: "http-connect", overTls: true, openToAgents: true, serverFlags: [] },
  { name: "grpc-uds", mode: "grpc", overTls: false, openToAgents: true, serverFlags: [] },
  { name: "connect-uds", mode: "http-connect", overTls: false, openToAgents: false, serverFlags: ["--http2=runtime"] },
  { name: "workers", mode: "grpc", overTls: true, openToAgents: false, serverFlags: ["--workers=2"] },
  { name: "runtime", mode: "grpc", overTls: true, openToAgents: true, serverFlags: ["--http2=runtime"] },
];

/** Everything that is fuzzed, with a tunnel through each server that must not notice. */
export interface Fleet extends AsyncDisposable {
  readonly targets: readonly [FuzzTarget, ...FuzzTarget[]];
  readonly programs: readonly Program[];
  readonly neighbours: readonly Neighbour[];
  readonly credentials: FuzzCredentials;
  readonly destinations: Destinations;
  readonly hostileServers: readonly HostileServer[];
  /** Ports of the programs' health pages. */
  readonly healthPorts: ReadonlyMap<Program, number>;
}

/**
 * Starts servers of all kinds, each with an agent that is linked to it and to a hostile server.
 * @param next the random numbers of the next link to a hostile server
 * @param names which variants; all of them if absent
 */
export async function startFleet(next: () => Random, names?: readonly string[]): Promise<Fleet> {
  await using started = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "konnectivity-fuzz-" });
  started.defer(() => Deno.remove(folder, { recursive: true }));
  const trusted = await makeTestCertificates("fuzz CA");
  const certificates = await writeTestCertificates(folder, trusted);
  const credentials = credentialsOf(trusted, await makeTestCertificates("stranger CA"));
  const destinations = started.use(await startDestinations());
  const addresses = Object.values(destinations).flatMap((one) => typeof one === "object" ? [one.address] : []);
  const targets: FuzzTarget[] = [];
  const programs: Program[] = [];
  const neighbours: Neighbour[] = [];
  const hostileServers: HostileServer[] = [];
  const healthPorts = new Map<Program, number>();
  for (const variant of variants.filter(({ name }) => names?.includes(name) ?? true)) {
    const { name, mode, overTls, openToAgents } = variant;
    const uds = overTls ? "" : `${folder}/${name}.sock`;
    const port = overTls ? await freePort() : 0;
    const kind = `${mode === "grpc" ? "grpc" : "connect"}-${overTls ? "tls" : "uds"}` as const;
    const flags = serverFlagsOf(kind, { certificates, uds, port }).filter((flag) =>
      !openToAgents || !flag.startsWith("--cluster-ca-cert")
    );
    const server = started.use(
      await startServer(
        [...flags, ...(openToAgents ? ["--allow-unauthenticated-agents"] : []), ...variant.serverFlags],
        {},
        await launcherOf("server"),
      ),
    );
    const hostile = started.use(await startHostileServer(server.agentPort, trusted, addresses, next));
    const agent = started.use(
      await startAgent(
        [...agentFlagsOf(certificates, server.agentPort), `--proxy-server-host=127.0.0.1,${hostileAddress}`],
        {},
        await launcherOf("agent"),
      ),
    );
    await agent.ready();
    await server.ready();
    programs.push(server.program, agent.program);
    healthPorts.set(server.program, server.healthPort).set(agent.program, agent.healthPort);
    hostileServers.push(hostile);
    const tls = (certificateDemanded: boolean) => ({ tls: { certificateDemanded } });
    targets.push(
      {
        name: `${name} frontend`,
        speaks: mode === "grpc" ? "http2" : "http-connect",
        at: overTls ? port : uds,
        ...(overTls ? tls(true) : {}),
      },
      { name: `${name} agents`, speaks: "agents", at: server.agentPort, ...tls(!openToAgents) },
      { name: `${name} health`, speaks: "pages", at: server.healthPort },
      { name: `${name} admin`, speaks: "pages", at: server.adminPort },
      { name: `${name} agent's health`, speaks: "pages", at: agent.healthPort },
      { name: `${name} agent's admin`, speaks: "pages", at: agent.adminPort },
    );
    const client = await clientOf(mode, uds, port, credentials);
    neighbours.push(started.use(await Neighbour.start(name, client, destinations.echo.address)));
  }
  const [first, ...others] = targets;
  if (first === undefined) throw new Error("no server was chosen");
  const parts = started.move();
  return {
    targets: [first, ...others],
    programs,
    neighbours,
    credentials,
    destinations,
    hostileServers,
    healthPorts,
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function clientOf(
  mode: "grpc" | "http-connect",
  uds: string,
  port: number,
  { ca, cert, key }: FuzzCredentials,
): Promise<ProxyClient> {
  if (uds !== "") return connect({ mode, transport: "unix", path: uds });
  return connect({ mode, transport: "tls", host: "127.0.0.1", port, tls: { ca, cert, key } });
}
