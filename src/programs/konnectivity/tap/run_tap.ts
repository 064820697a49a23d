import { endingSignals } from "../../signals.ts";
import type { Printer } from "../../terminal.ts";
import { pause } from "../pause.ts";
import { AdminError, askFirst } from "../status/admin_client.ts";
import { printable, styleFor } from "../text_style.ts";
import { writeOut } from "../write_out.ts";
import { EventLines, type LinePlace } from "./event_lines.ts";
import { type EventStream, type ReadEvent, readEvents, WatchRefused } from "./read_events.ts";
import type { TapOptions } from "./tap_command.ts";

/** How long it waits before it tries again, in milliseconds. */
const retryMs = 1_000;

/** What a tap needs of the process around it. */
export interface TapHost {
  /** Fulfilled when it should end. */
  readonly ended: Promise<unknown>;
  /** Where lines are written now: a terminal may change its size. */
  readonly place: () => LinePlace;
  /** Fulfilled when it is written. @throws `Deno.errors.BrokenPipe` where nobody reads any more */
  readonly write: (text: string) => Promise<void>;
  /** What is to be known besides, a line. */
  readonly note: (line: string) => void;
  readonly retryMs?: number;
}

/** `konnectivity tap`. @returns 0: it was ended, 1: it cannot watch */
export async function runTap(options: TapOptions, printer: Printer): Promise<number> {
  const isTerminal = Deno.stdout.isTerminal();
  const style = styleFor(isTerminal, (name) => Deno.env.get(name));
  using signals = endingSignals();
  return await tap(options, {
    ended: signals.first,
    place: () => ({ ...style, columns: isTerminal ? Deno.consoleSize().columns || 80 : undefined }),
    write: writeOut,
    note: printer.err,
  });
}

/** Shows events until it is ended. @returns the exit code */
export async function tap(options: TapOptions, host: TapHost): Promise<number> {
  const end = new AbortController();
  const ended = host.ended.then(() => end.abort());
  const shown = new Shown(options, host, ended);
  let admins = options.admin;
  let saidWhy = "";
  const say = (why: string) => {
    if (why !== saidWhy) host.note(printable(why, { ...host.place(), colour: false }));
    saidWhy = why;
  };
  try {
    while (!end.signal.aborted) {
      let why: string;
      try {
        const { admin, stream } = await begin(admins, options, end.signal);
        // The next one of the same program is watched, and not another one.
        admins = [admin];
        saidWhy = "";
        await shown.all(stream, end.signal);
        why = `the program at ${admin.host} has ended, or ended this watch`;
        if (options.once) {
          if (!end.signal.aborted) host.note(why);
          return 0;
        }
      } catch (error) {
        if (end.signal.aborted) break;
        if (!(error instanceof AdminError)) throw error;
        const isFirst = !shown.any;
        const isFinal = error instanceof WatchRefused && error.why === "refused";
        if (isFirst || isFinal || options.once) {
          host.note(`Error: ${error.message}`);
          return 1;
        }
        // What to do about it says the program's first message; now it is to come back by itself.
        why = error.message.split(": ")[0] ?? "";
      }
      if (end.signal.aborted) break;
      say(`${why}; it is tried again each second, and what happens meanwhile is not shown`);
      await pause(host.retryMs ?? retryMs, end.signal);
    }
    return 0;
  } catch (error) {
    // Whoever has read enough, as head does, says it so.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    throw error;
  } finally {
    end.abort();
  }
}

async function begin(admins: readonly URL[], options: TapOptions, signal: AbortSignal) {
  return await askFirst(admins, async (admin) => ({ admin, stream: await readEvents(admin, options, signal) }));
}

/** What has been shown. */
class Shown {
  readonly #options: TapOptions;
  readonly #host: TapHost;
  readonly #ended: Promise<void>;
  #headed = "";
  /** Whether a program was there. */
  any = false;

  constructor(options: TapOptions, host: TapHost, ended: Promise<void>) {
    this.#options = options;
    this.#host = host;
    this.#ended = ended;
  }

  /** Shows events until they end, or the signal aborts. @throws {AdminError} where they break off */
  async all({ program, portions }: EventStream, signal: AbortSignal): Promise<void> {
    this.any = true;
    const lines = new EventLines(program);
    for await (const portion of portions) {
      const text = this.#text(program, lines, portion);
      // Whoever wants to end it is not kept by who does not read; who reads slowly slows the reading down.
      if (text !== "") await Promise.race([this.#host.write(text), this.#ended]);
      if (signal.aborted) return;
    }
  }

  #text(program: string, lines: EventLines, portion: readonly ReadEvent[]): string {
    if (this.#options.output === "json") return portion.map(({ text }) => `${text}\n`).join("");
    const place = this.#host.place();
    const heading = this.#headed === program ? [] : [lines.heading(place)];
    this.#headed = program;
    const shown = portion.flatMap(({ event }) => lines.of(event, place));
    return [...heading, ...shown].map((line) => `${line}\n`).join("");
  }
}
