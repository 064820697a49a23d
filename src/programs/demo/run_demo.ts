import { get } from "node:http";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CertificateTreeError, makeCertificateTree } from "../certs/certificate_tree.ts";
import type { Role } from "../permissions/permissions_command.ts";
import { endingSignals } from "../signals.ts";
import type { Printer } from "../terminal.ts";
import type { DemoOptions } from "./demo_flags.ts";
import {
  agentFlags,
  allFrontends,
  clientFlags,
  commandsToTry,
  type Frontend,
  loopback,
  serverFlags,
} from "./frontends.ts";
import { Part, PartError } from "./part.ts";
import { type RoleCommand, sandboxedCommand } from "./sandboxed_command.ts";

/** Exit codes of a program that a signal ended, as shells report them. */
const interruptedCodes: Partial<Record<Deno.Signal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** A signal ended the demo before it was through. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly code: number;

  constructor(signal: Deno.Signal) {
    super(`ended by ${signal}`);
    this.code = interruptedCodes[signal] ?? 1;
  }
}

/**
 * The program `demo`. No process that it starts outlives it.
 * @param entry URL of the project's entry point, which its programs are run with
 * @returns its exit code: 0; 1 with a message that names the part that failed; 128 and the signal's number when a signal
 *   ended it before all requests had passed
 */
export async function runDemo(
  options: DemoOptions,
  printer: Printer,
  entry: string = Deno.mainModule,
  command: RoleCommand = sandboxedCommand(entry),
): Promise<number> {
  const certs = resolve(options.certs);
  const folder = await Deno.makeTempDir({ prefix: "konn-demo-" });
  const stop = new AbortController();
  const end = (signal: Deno.Signal) => stop.abort(new Interrupted(signal));
  const onHangup = () => end("SIGHUP");
  const parts: Part[] = [];
  // The last resort, too: an error that nobody caught must not leave processes behind.
  const kill = () => parts.forEach((part) => part.kill());
  using signals = endingSignals();
  void signals.first.then(end);
  void signals.second.then(kill);
  Deno.addSignalListener("SIGHUP", onHangup);
  globalThis.addEventListener("unload", kill);
  const start = async (title: string, role: Role, flags: readonly string[]) => {
    const words = await command(role, flags);
    stop.signal.throwIfAborted();
    const part = new Part(title, words, join(folder, `${parts.length}-${role}.log`));
    parts.push(part);
    return part;
  };
  let keepLogs = false;
  try {
    const { written } = await makeCertificateTree({ dir: certs, serverIp: loopback, force: false });
    if (written.length > 0) printer.out(`made certificates in ${certs}`);
    const freePort = freePorts();
    const destination = freePort();
    const frontends = allFrontends(folder, freePort);
    const origin = await start("http-test-server", "test-server", [`--server-port=${destination}`]);
    await origin.until("to answer", () => answers(destination, "/success"), stop.signal);
    printer.out(`starting a proxy-server and a proxy-agent for each of ${frontends.length} frontends`);
    await Promise.allSettled(
      frontends.map(async (frontend) => {
        const server = await start(`proxy-server (${frontend.title})`, "server", serverFlags(frontend, certs));
        await server.until("to answer", () => answers(frontend.health, "/healthz"), stop.signal);
        const agent = await start(`proxy-agent (${frontend.title})`, "agent", agentFlags(frontend, destination, certs));
        const connected = async () =>
          await answers(frontend.agentHealth, "/readyz") && await answers(frontend.health, "/readyz");
        await agent.until("to connect to its server", connected, stop.signal);
        // The first failure ends the others' waits, and is the one that counts.
      }).map((started) => started.catch((error) => stop.abort(error))),
    );
    stop.signal.throwIfAborted();
    const rows = [["FRONTEND", "CLIENT DIALS", "AGENT DIALS", "STATUS", "MS"]];
    // One after another, so that their times can be compared.
    for (const frontend of frontends) {
      const title = `proxy-test-client (${frontend.title})`;
      const client = await start(title, "test-client", clientFlags(frontend, destination, certs));
      await client.end(stop.signal);
      rows.push(passage(frontend, destination, client));
    }
    for (const line of alignedTable(rows)) printer.out(line);
    if (!options.keep) return 0;
    for (const frontend of frontends) {
      printer.out(`\n# ${frontend.title}`);
      for (const line of commandsToTry(frontend, destination, certs, testClientCommand(entry))) printer.out(line);
    }
    printer.out(`\nlogs: ${folder}\nrunning until Ctrl-C`);
    if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      printer.err(error.message);
      return error.code;
    }
    if (!(error instanceof PartError) && !(error instanceof CertificateTreeError)) throw error;
    const what = error instanceof PartError ? "" : "the certificates cannot be used: ";
    printer.err(`Error: ${what}${error.message}`);
    if (error instanceof PartError) {
      keepLogs = true;
      printer.err(`its log is ${error.logPath}, the last lines are:`);
      const lines = (await Deno.readTextFile(error.logPath)).trimEnd().split("\n");
      for (const line of lines.slice(-12)) printer.err(`  ${line}`);
    }
    return 1;
  } finally {
    await Promise.all(parts.map((part) => part.stop()));
    Deno.removeSignalListener("SIGHUP", onHangup);
    globalThis.removeEventListener("unload", kill);
    if (!keepLogs) await Deno.remove(folder, { recursive: true });
  }
}

/** What became of a request, as a row of the table. */
function passage({ title, clients }: Frontend, destination: number, client: Part): string[] {
  const { log } = client;
  const [, status, ms] = /\/success answered (\d{3}) with \d+ bytes after (\d+) ms$/m.exec(log) ?? [];
  if (status === undefined || ms === undefined || !log.includes("The success test page!")) {
    throw new PartError(client, "did not get the page");
  }
  const place = typeof clients === "number" ? `${loopback}:${clients}` : clients;
  return [title, place, `${loopback}:${destination}/success`, status, ms];
}

/** Rows with their columns below each other, two spaces apart. */
function alignedTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>((most, row) => row.map((cell, at) => Math.max(most[at] ?? 0, cell.length)), []);
  return rows.map((row) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd());
}

/** The launcher beside a bundle; from source the task, which runs in the project's folder. */
function testClientCommand(entry: string): string[] {
  const path = fileURLToPath(entry);
  return path.endsWith(".js")
    ? [join(dirname(path), "../bin/proxy-test-client")]
    : ["deno", "task", "--config", join(dirname(path), "deno.json"), "test-client"];
}

/** Ports that nobody listens on, below those that outgoing connections get, which the programs' flags refuse. */
function freePorts(): () => number {
  let port = 10_000 + Math.floor(Math.random() * 20_000);
  return () => {
    for (;;) {
      try {
        Deno.listen({ hostname: loopback, port: ++port }).close();
        return port;
      } catch (error) {
        if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
  };
}

/** Whether a health port answers 200 on a path. (`fetch` would ask the proxy that HTTP_PROXY names.) */
function answers(port: number, path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const request = get({ host: loopback, port, path, agent: false }, (response) => {
    response.resume().once("close", () => resolve(response.statusCode === 200));
  });
  request.once("error", () => resolve(false));
  return promise;
}
