import { issueAuthority, type IssuedPair, issueLeaf } from "../../../src/programs/certs/issue.ts";
import { freePort } from "../../support/processes/free_port.ts";
import { httpGet, Program } from "../../support/processes/processes.ts";
import { until } from "../../support/assert/until.ts";
import type { TestCertificateFiles } from "../../support/in_process/test_certificates.ts";
import type { Frontend } from "../load_connection.ts";

/** What clients of a world speak. */
export type SoakMode = "grpc" | "http";

/** An agent as a process, which may be ended and started again. */
export interface SoakAgent {
  readonly name: string;
  readonly admin: number;
  readonly health: number;
  program: Program;
}

const keyKind = "p-256";
/** How long file watchers take to see a change, and some more, in milliseconds. */
const seenMs = 12_000;

/** The certificates of a world, in files that are replaced as it runs, authority and all. */
export class SoakCertificates {
  readonly files: TestCertificateFiles;
  #authority: IssuedPair | undefined;
  #rotations = 0;

  constructor(folder: string) {
    const path = (name: string) => `${folder}/${name}`;
    this.files = {
      caCert: path("ca.crt"),
      serverCert: path("server.crt"),
      serverKey: path("server.key"),
      clientCert: path("client.crt"),
      clientKey: path("client.key"),
    };
  }

  /** Replaces the authority as operators do it: first both are trusted, then the new certificates are shown. */
  async rotate(): Promise<void> {
    const before = this.#authority;
    const authority = await issueAuthority({ commonName: `soak CA ${++this.#rotations}`, keyKind });
    const { files } = this;
    await Deno.writeTextFile(files.caCert, authority.certPem + (before?.certPem ?? ""));
    if (before !== undefined) await new Promise((resolve) => setTimeout(resolve, seenMs));
    const server = await issueLeaf(authority, {
      commonName: "soak server",
      usages: ["server"],
      names: ["localhost"],
      addresses: ["127.0.0.1", "::1"],
      keyKind,
    });
    const client = await issueLeaf(authority, { commonName: "soak agent", usages: ["client"], keyKind });
    for (
      const [path, text] of [
        [files.serverCert, server.certPem],
        [files.serverKey, server.keyPem],
        [files.clientCert, client.certPem],
        [files.clientKey, client.keyPem],
      ] as const
    ) await Deno.writeTextFile(path, text, { mode: 0o600 });
    this.#authority = authority;
  }
}

/** One server and its agents, as the launchers start them. */
export class SoakWorld implements AsyncDisposable {
  readonly mode: SoakMode;
  readonly frontend: Frontend;
  readonly certificates: SoakCertificates;
  readonly server: Program;
  readonly ports: { readonly agents: number; readonly admin: number; readonly health: number };
  readonly agents: SoakAgent[] = [];
  readonly #bin: string;

  private constructor(
    mode: SoakMode,
    bin: string,
    folder: string,
    certificates: SoakCertificates,
    ports: SoakWorld["ports"],
  ) {
    const { files } = certificates;
    this.mode = mode;
    this.#bin = bin;
    this.certificates = certificates;
    this.ports = ports;
    this.frontend = { protocol: mode, uds: `${folder}/${mode}.sock`, port: 0, certificates: files };
    this.server = new Program(`${mode} server`, [
      `${bin}/proxy-server`,
      `--mode=${mode === "grpc" ? "grpc" : "http-connect"}`,
      `--uds-name=${this.frontend.uds}`,
      "--server-port=0",
      `--agent-port=${ports.agents}`,
      `--admin-port=${ports.admin}`,
      `--health-port=${ports.health}`,
      `--cluster-ca-cert=${files.caCert}`,
      `--cluster-cert=${files.serverCert}`,
      `--cluster-key=${files.serverKey}`,
      "--audit-log=/dev/null",
      "--probe-interval=10s",
    ]);
  }

  /** Starts a server and as many agents. @param bin folder of the launchers @param folder for sockets and certificates */
  static async start(mode: SoakMode, bin: string, folder: string, agents: number): Promise<SoakWorld> {
    const own = `${folder}/${mode}`;
    await Deno.mkdir(own);
    const certificates = new SoakCertificates(own);
    await certificates.rotate();
    const ports = { agents: await freePort(), admin: await freePort(), health: await freePort() };
    const world = new SoakWorld(mode, bin, own, certificates, ports);
    try {
      await world.#answers(world.server, ports.health, "/healthz");
      for (let at = 0; at < agents; at++) await world.#addAgent(`${mode} agent ${at + 1}`);
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #addAgent(name: string): Promise<void> {
    const admin = await freePort();
    const health = await freePort();
    const agent: SoakAgent = { name, admin, health, program: this.#startAgent(name, admin, health) };
    this.agents.push(agent);
    await this.#answers(agent.program, health, "/readyz");
  }

  #startAgent(name: string, admin: number, health: number): Program {
    const { files } = this.certificates;
    return new Program(name, [
      `${this.#bin}/proxy-agent`,
      "--proxy-server-host=127.0.0.1",
      `--proxy-server-port=${this.ports.agents}`,
      `--ca-cert=${files.caCert}`,
      `--agent-cert=${files.clientCert}`,
      `--agent-key=${files.clientKey}`,
      `--admin-server-port=${admin}`,
      `--health-server-port=${health}`,
      `--agent-id=${name.replaceAll(" ", "-")}`,
    ]);
  }

  /** Ends an agent, in order (SIGTERM) or not (SIGKILL), and starts it again. */
  async restart(agent: SoakAgent, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    agent.program.signal(signal);
    await agent.program.ended;
    await agent.program.stop();
    agent.program = this.#startAgent(agent.name, agent.admin, agent.health);
    await this.#answers(agent.program, agent.health, "/readyz");
  }

  async #answers(program: Program, port: number, path: string): Promise<void> {
    await until(`${program.name} answers ${path}`, async () => {
      if (program.status !== undefined) throw new Error(`${program.name} has ended\n${program.tail()}`);
      return (await httpGet(port, path)).status === 200;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { program } of this.agents) await program.stop();
    const { code } = await this.server.stop();
    if (code !== 0) throw new Error(`${this.server.name} ended with code ${code}\n${this.server.tail()}`);
  }
}
