import { resolve } from "node:path";
import { CertificateTreeError, makeCertificateTree } from "../certs/certificate_tree.ts";
import { endingSignals } from "../signals.ts";
import type { Printer } from "../terminal.ts";
import type { DemoOptions } from "./demo_flags.ts";
import { frontends, loopback } from "./frontends.ts";
import { PartError } from "./part.ts";
import { commandsToTry, type Passage, passageTable } from "./report.ts";
import { type RoleCommand, sandboxedCommand } from "./sandboxed_command.ts";
import { Stage } from "./stage.ts";

/** Exit codes of a program that a signal ended, as shells report them. */
const interruptedCodes: Partial<Record<Deno.Signal, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };

/** A signal ended the demo before it was through. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly code = "interrupted";
  readonly signal: Deno.Signal;

  constructor(signal: Deno.Signal) {
    super(`ended by ${signal}`);
    this.signal = signal;
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
  const stop = new AbortController();
  const end = (signal: Deno.Signal) => stop.abort(new Interrupted(signal));
  using signals = endingSignals();
  void signals.first.then(end);
  using _hangup = onHangup(() => end("SIGHUP"));
  const folder = await Deno.makeTempDir({ prefix: "konn-demo-" });
  let keepLogs = false;
  try {
    await prepareCertificates(certs, printer);
    await using stage = new Stage({ certs, folder, command, signal: stop.signal });
    void signals.second.then(() => stage.kill());
    using _unload = onUnload(() => stage.kill());
    const { passages, destinationPort } = await play(stage, stop, printer);
    for (const line of passageTable(passages, destinationPort)) printer.out(line);
    if (options.keep) {
      printer.out("");
      for (const line of commandsToTry(passages, destinationPort, certs, entry)) printer.out(line);
      printer.out(`logs: ${folder}`);
      printer.out("running until Ctrl-C");
      await aborted(stop.signal);
    }
    return 0;
  } catch (error) {
    if (error instanceof Interrupted) {
      printer.err(error.message);
      return interruptedCodes[error.signal] ?? 1;
    }
    if (error instanceof CertificateTreeError) {
      printer.err(`Error: the certificates cannot be used: ${error.message}`);
      return 1;
    }
    if (!(error instanceof PartError)) throw error;
    keepLogs = true;
    printer.err(`Error: ${error.message}`);
    printer.err(`its log is ${error.logPath}, the last lines are:`);
    for (const line of error.lastLines) printer.err(`  ${line}`);
    return 1;
  } finally {
    if (!keepLogs) await Deno.remove(folder, { recursive: true });
  }
}

async function prepareCertificates(certs: string, printer: Printer): Promise<void> {
  const { written } = await makeCertificateTree({ dir: certs, serverIp: loopback, force: false });
  if (written.length > 0) printer.out(`made certificates in ${certs}`);
}

/** Starts everything side by side, then sends the requests one after another, so that their times can be compared. */
async function play(
  stage: Stage,
  stop: AbortController,
  printer: Printer,
): Promise<{ passages: Passage[]; destinationPort: number }> {
  const destinationPort = await stage.startDestination();
  printer.out(`starting a proxy-server and a proxy-agent for each of ${frontends.length} frontends`);
  const starts = frontends.map(async (frontend) => {
    try {
      return await stage.startFrontend(frontend, destinationPort);
    } catch (error) {
      // The first failure ends the others' waits, and is the one that counts.
      stop.abort(error);
      throw error;
    }
  });
  const started = await Promise.allSettled(starts);
  stop.signal.throwIfAborted();
  const passages: Passage[] = [];
  for (const [at, frontend] of frontends.entries()) {
    const places = started[at];
    if (places?.status !== "fulfilled") throw new Error(`${frontend.title} was not started`);
    passages.push(await stage.request(frontend, places.value, destinationPort));
  }
  return { passages, destinationPort };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function onHangup(listener: () => void): Disposable {
  Deno.addSignalListener("SIGHUP", listener);
  return { [Symbol.dispose]: () => Deno.removeSignalListener("SIGHUP", listener) };
}

/** The last resort: an error that nobody caught must not leave processes behind. */
function onUnload(listener: () => void): Disposable {
  globalThis.addEventListener("unload", listener);
  return { [Symbol.dispose]: () => globalThis.removeEventListener("unload", listener) };
}
