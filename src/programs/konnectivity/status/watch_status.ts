import { wrap } from "../../../flags/help.ts";
import { pause } from "../pause.ts";
import { AdminError } from "./admin_client.ts";
import type { ShownStatus } from "./run_status.ts";

/** How often a status is shown, in milliseconds. */
const intervalMs = 1_000;

/** How long the terminal may take to take the last word, in milliseconds. */
const lastWordMs = 500;

/** What a terminal has that does not tell its size. */
const usualSize = { columns: 80, rows: 24 };

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
  /** Fulfilled when it is written: a terminal that is held, or a reader that waits, may keep it for ever. */
  readonly write: (text: string) => Promise<void>;
  readonly intervalMs?: number;
}

/**
 * Shows a status each second. A program that cannot be asked is said to be so, and asked again: it may be starting.
 * @returns the exit code of what was shown last
 */
export async function watchStatus(watch: Watch): Promise<number> {
  const { screen } = watch;
  const end = new AbortController();
  const ended = watch.ended.then(() => end.abort());
  // Whoever wants to end it is not kept by who does not read.
  const write = (text: string) => Promise.race([watch.write(text), ended]);
  let code = 1;
  try {
    if (screen !== undefined) await write(terminal.hideCursor + terminal.home + terminal.below);
    while (!end.signal.aborted) {
      let lines: readonly string[];
      try {
        const shown = await watch.show(end.signal);
        lines = shown.output;
        code = shown.code;
      } catch (error) {
        if (end.signal.aborted) break;
        if (!(error instanceof AdminError)) throw error;
        const text = `Error: ${error.message}`;
        lines = screen === undefined ? [text] : wrap(text, screen().columns || usualSize.columns);
        code = 1;
      }
      await write(screen === undefined ? `${lines.join("\n")}\n` : frame(lines, screen()));
      await Promise.race([ended, pause(watch.intervalMs ?? intervalMs, end.signal)]);
    }
    return code;
  } finally {
    if (screen !== undefined) {
      await Promise.race([watch.write(`${terminal.showCursor}\n`), pause(lastWordMs, new AbortController().signal)]);
    }
  }
}

/** What replaces the frame before: no line may break, or the next frame would begin elsewhere. */
export function frame(lines: readonly string[], size: { readonly columns: number; readonly rows: number }): string {
  const { columns, rows } = size.columns > 0 && size.rows > 0 ? size : usualSize;
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
