import { owned, ownerOf } from "../../../faults/owned.ts";
import { AdminError } from "./admin_client.ts";
import type { ShownStatus } from "./run_status.ts";

/** How often a status is shown, in milliseconds. */
const intervalMs = 1_000;

/** Signs by which a terminal is drawn upon: no other ones are needed. */
const terminal = {
  hideCursor: "\x1b[?25l",
  showCursor: "\x1b[?25h",
  home: "\x1b[H",
  endOfLine: "\x1b[K",
  below: "\x1b[J",
};

/** What is watched, and where it is shown. */
export interface Watch {
  readonly show: (signal: AbortSignal) => Promise<ShownStatus>;
  /** Fulfilled when it should end. */
  readonly ended: Promise<unknown>;
  /** Size of the terminal that is drawn anew; absent: one status is written behind the other. */
  readonly screen: (() => { readonly columns: number; readonly rows: number }) | undefined;
  readonly out: (line: string) => void;
  readonly write: (text: string) => void;
  readonly intervalMs?: number;
}

/**
 * Shows a status each second. A program that cannot be asked is said to be so, and asked again: it may be starting.
 * @returns the exit code of what was shown last
 */
export async function watchStatus(watch: Watch): Promise<number> {
  const { screen, out, write } = watch;
  const end = new AbortController();
  const ended = watch.ended.then(() => end.abort());
  let code = 1;
  if (screen !== undefined) write(terminal.hideCursor + terminal.home + terminal.below);
  try {
    while (!end.signal.aborted) {
      let lines: readonly string[];
      try {
        const shown = await watch.show(end.signal);
        lines = shown.output;
        code = shown.code;
      } catch (error) {
        if (end.signal.aborted) break;
        if (!(error instanceof AdminError)) throw error;
        lines = [`Error: ${error.message}`];
        code = 1;
      }
      if (screen === undefined) out(lines.join("\n"));
      else write(frame(lines, screen()));
      await Promise.race([ended, pause(watch.intervalMs ?? intervalMs, end.signal)]);
    }
    return code;
  } finally {
    if (screen !== undefined) write(`${terminal.showCursor}\n`);
  }
}

/** What replaces the frame before: no line may break, or the next frame would begin elsewhere. */
export function frame(lines: readonly string[], { columns, rows }: { columns: number; rows: number }): string {
  const room = Math.max(1, rows - 1);
  const hidden = lines.length - room;
  const shown = hidden <= 0
    ? lines
    : [...lines.slice(0, room - 1), `... ${hidden + 1} more lines: make the terminal higher, or --limit less`];
  return terminal.home + shown.map((line) => cut(line, columns) + terminal.endOfLine).join("\r\n") + terminal.below;
}

/** The first columns of a line; signs that colour it take none. */
function cut(line: string, columns: number): string {
  let width = 0;
  let result = "";
  // deno-lint-ignore no-control-regex -- the sign by which colours begin
  for (const part of line.match(/\x1b\[\d+m|[^\x1b]/gu) ?? []) {
    if (!part.startsWith("\x1b") && ++width > columns) continue;
    result += part;
  }
  return result;
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = owned(ownerOf("timer", () => resolve()), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    });
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
