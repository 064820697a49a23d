import type { AgentStatus } from "../../../ops/status/agent_status.ts";
import type { ServerStatus } from "../../../ops/status/server_status.ts";
import type { StatusPage } from "../../../ops/status/status_page.ts";
import { endingSignals } from "../../signals.ts";
import type { Printer } from "../../terminal.ts";
import { styleFor, type TextStyle } from "../text_style.ts";
import { writeOut } from "../write_out.ts";
import { AdminError } from "./admin_client.ts";
import { agentLines } from "./agent_lines.ts";
import { readStatus, type WholeStatus } from "./read_status.ts";
import { serverLines } from "./server_lines.ts";
import type { StatusOptions } from "./status_flags.ts";
import { isWrong, type StatusLine } from "./status_line.ts";
import { statusText } from "./status_text.ts";
import { watchStatus } from "./watch_status.ts";

const nobody = new AbortController().signal;

/** What a status comes to. */
export interface ShownStatus {
  readonly output: readonly string[];
  readonly code: number;
}

/** `konnectivity status`. @returns 0: all is well, 1: there is no status, 2: something is Degraded or Down */
export async function runStatus(options: StatusOptions, printer: Printer): Promise<number> {
  const style = styleFor(Deno.stdout.isTerminal(), (name) => Deno.env.get(name));
  if (options.watch) {
    using signals = endingSignals();
    return await watchStatus({
      show: (signal) => showStatus(options, style, signal),
      ended: signals.first,
      screen: Deno.stdout.isTerminal() && options.output === "text" ? () => Deno.consoleSize() : undefined,
      write: writeOut,
    });
  }
  try {
    const { output, code } = await showStatus(options, style, nobody);
    printer.out(output.join("\n"));
    return code;
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    printer.err(`Error: ${error.message}`);
    return 1;
  }
}

/** Reads a status once. @throws {AdminError} the signal's reason when it aborts */
export async function showStatus(options: StatusOptions, style: TextStyle, signal: AbortSignal): Promise<ShownStatus> {
  const whole = await readStatus(options, signal);
  const line = linesOf(whole, options.limit);
  const code = isWrong(line.health) ? 2 : 0;
  if (options.output === "text") return { output: statusText(line, style), code };
  return {
    output: [JSON.stringify({ version: 1, health: line.health, lines: line, status: cut(whole, options.limit) })],
    code,
  };
}

function linesOf(whole: WholeStatus, limit: number): StatusLine {
  return whole.kind === "server" ? serverLines(whole.status, limit) : agentLines(whole.status, limit);
}

/** The status with as much of each list as was asked for. */
function cut({ kind, status }: WholeStatus, limit: number): ServerStatus | AgentStatus {
  const page = <T>(table: StatusPage<T>): StatusPage<T> => ({ ...table, items: table.items.slice(0, limit) });
  return kind === "server"
    ? { ...status, agents: page(status.agents), tunnels: page(status.tunnels), dials: page(status.dials) }
    : { ...status, links: page(status.links), tunnels: page(status.tunnels), dials: page(status.dials) };
}
