import { memberOf, textMember } from "../../../kube/client/json_value.ts";
import { wrap } from "../../../flags/help.ts";
import { coloured, printable, type TextStyle } from "../text_style.ts";
import { shortSize, shortSpan } from "./amounts.ts";
import type { ReadEvent } from "./read_events.ts";

/** Where lines are written. */
export interface LinePlace extends TextStyle {
  /** Of the terminal; undefined: it is none, and nothing is cut. */
  readonly columns: number | undefined;
}

type Event = ReadEvent["event"];
type Colour = Parameters<typeof coloured>[1];

/** The cells of an event. */
interface Cells {
  readonly what: string;
  readonly who: string;
  readonly address: string;
  readonly peer: string;
  readonly result: string;
  readonly colour?: Colour;
  /** More, where it is not as it should be. */
  readonly why?: string;
}

/** Of a terminal that nobody asks for more or less than it usually has. */
const usualColumns = 80;

/** A terminal of so many columns has room for milliseconds. */
const millisecondsFrom = 100;

const whatWidth = 6;
/** A time, and a number of bytes each way. */
const resultWidth = 17;

/** Makes lines of a program's events, in columns. */
export class EventLines {
  readonly #program: "proxy-server" | "proxy-agent";

  constructor(program: "proxy-server" | "proxy-agent") {
    this.#program = program;
  }

  /** Names of the columns. */
  heading(place: LinePlace): string {
    const agent = this.#program === "proxy-server";
    const cells = { what: "EVENT", who: "WHO", address: "ADDRESS", peer: agent ? "AGENT" : "SERVER", result: "RESULT" };
    return coloured(this.#row("TIME UTC", cells, place).trimEnd(), "grey", place);
  }

  /** The line of an event; on a terminal what is wrong stands below it, else behind it. */
  of(event: Event, place: LinePlace): string[] {
    const note = noteOf(event);
    const time = timeOf(event);
    if (note !== undefined) {
      const line = `${this.#time(time, place)} ${note.what.padEnd(whatWidth)} ${printable(note.text, place)}`;
      return [note.colour === undefined ? line : coloured(line, note.colour, place)];
    }
    const cells = cellsOf(event);
    const row = this.#row(time, cells, place);
    const line = cells.colour === undefined ? row.trimEnd() : coloured(row.trimEnd(), cells.colour, place);
    if (cells.why === undefined) return [line];
    const why = printable(cells.why, place);
    if (place.columns === undefined) return [`${line}  ${why}`];
    const lead = " ".repeat(timeWidth(place) + whatWidth + 2);
    const room = Math.max(20, place.columns - lead.length - 3);
    const arrow = place.unicode ? "→ " : "-> ";
    const below = wrap(why, room).map((part, at) =>
      coloured(`${lead}${at === 0 ? arrow : " ".repeat(arrow.length)}${part}`, "yellow", place)
    );
    return [line, ...below];
  }

  #row(time: string, { what, who, address, peer, result }: Cells, place: LinePlace): string {
    const widths = this.#widths(place);
    return [
      this.#time(time, place),
      what.padEnd(whatWidth),
      ...(widths.who === 0 ? [] : [cell(who, widths.who, place)]),
      cell(address, widths.address, place),
      cell(peer, widths.peer, place),
      printable(result, place),
    ].join(" ");
  }

  #time(time: string, place: LinePlace): string {
    const width = timeWidth(place);
    return time.slice(0, width).padEnd(width);
  }

  /** What the columns in the middle share. */
  #widths(place: LinePlace): { readonly who: number; readonly address: number; readonly peer: number } {
    const columns = Math.max(usualColumns, place.columns ?? 0);
    const taken = timeWidth(place) + whatWidth + resultWidth;
    if (this.#program === "proxy-agent") {
      const room = columns - taken - 4;
      const address = Math.floor(room * 0.55);
      return { who: 0, address, peer: room - address };
    }
    // Text that is piped is not cut, and there the columns may be wider than those of a terminal.
    const room = (place.columns === undefined ? columns + 4 : columns) - taken - 5;
    const address = Math.floor(room * 0.46);
    const who = Math.floor(room * 0.32);
    return { who, address, peer: room - address - who };
  }
}

function timeWidth({ columns }: LinePlace): number {
  return columns !== undefined && columns < millisecondsFrom ? "12:34:56".length : "12:34:56.789".length;
}

function timeOf(event: Event): string {
  return /T(\d\d:\d\d:\d\d\.\d{3})/.exec(textMember(event, "time"))?.[1] ?? "";
}

/** A text in its column: what is longer loses its middle, since names differ at their ends. */
function cell(text: string, width: number, place: LinePlace): string {
  const signs = [...printable(text, place)];
  if (place.columns === undefined || signs.length <= width) {
    return signs.join("") + " ".repeat(Math.max(0, width - signs.length));
  }
  const tail = Math.ceil((width - 1) * 0.6);
  return [...signs.slice(0, width - 1 - tail), place.unicode ? "…" : "~", ...signs.slice(signs.length - tail)].join("");
}

/** Events of the program itself, whose text needs no columns. */
function noteOf(event: Event): { readonly what: string; readonly text: string; readonly colour?: Colour } | undefined {
  const ready = event["ready"] === true;
  const state = ready ? "ready" : `not ready: ${textMember(event, "notReady")}`;
  switch (event.type) {
    case "hello": {
      const program = memberOf(event, "program");
      const name = `${textMember(program, "name")} ${textMember(event, "id")}`;
      return {
        what: "hello",
        text: `${name}, version ${textMember(program, "version")}, ${state}`,
        colour: ready ? "green" : "yellow",
      };
    }
    case "readiness":
      return { what: ready ? "ready" : "unfit", text: `the program is ${state}`, colour: ready ? "green" : "yellow" };
    case "lost": {
      const worker = event["worker"];
      const count = JSON.stringify(event["count"]);
      const text = typeof worker === "number"
        ? `${count} events: worker ${worker} could not hand them on in time`
        : `${count} events are missing: they came faster than they were read`;
      return { what: "lost", text, colour: "red" };
    }
  }
  return undefined;
}

function cellsOf(event: Event): Cells {
  const client = memberOf(event, "client");
  const text = (name: string) => textMember(event, name);
  const base = {
    who: textMember(client, "name") || textMember(client, "address") || text("name"),
    address: text("destination") || text("address"),
    peer: text("agent") || text("server"),
  };
  const [reason, message] = [text("reason"), text("message")];
  const because = [reason, message].filter((each) => each !== "").join(": ");
  const why = because === "" ? {} : { why: because };
  const ms = event["ms"];
  switch (event.type) {
    case "dial": {
      const outcome = text("outcome");
      return {
        ...base,
        what: "dial",
        result: `${(typeof ms === "number" ? shortSpan(ms / 1000) : "").padStart(5)} ${outcome}`,
        ...(outcome === "failed" ? { colour: "red" } as const : {}),
        ...why,
      };
    }
    case "tunnel-closed": {
      if (reason === "closed" || reason === "") return { ...base, what: "closed", result: flowed(event) };
      const initiator = text("initiator") === "" ? "" : ` by ${text("initiator")}`;
      const told = message === "" ? "" : `: ${message}`;
      return { ...base, what: "closed", result: flowed(event), why: `${reason}${initiator}${told}`, colour: "yellow" };
    }
    case "agent-connected":
    case "link-opened":
      return { ...base, what: "linked", result: `      ${text("link")}`, colour: "green" };
    case "agent-disconnected":
    case "link-closed": {
      const orderly = reason === "closed" || reason === "retired" || reason === "shutdown" || reason === "ended";
      const tunnels = event["tunnels"];
      const ended = typeof tunnels === "number" && tunnels > 0 ? [`${tunnels} tunnels ended with it`] : [];
      const told = [...(because === "" || reason === "closed" ? [] : [because]), ...ended].join(", ");
      return {
        ...base,
        what: "gone",
        result: flowed(event),
        ...(told === "" ? {} : { why: told }),
        colour: orderly ? "yellow" : "red",
      };
    }
    case "link-failed":
      return { ...base, what: "failed", result: "      no link", ...why, colour: "red" };
    default: {
      // Of a newer program.
      const { type, time: _time, ...rest } = event;
      return { what: "other", who: "", address: "", peer: "", result: "", why: `${type} ${JSON.stringify(rest)}` };
    }
  }
}

/** A time, and bytes towards destinations and back. */
function flowed(event: Event): string {
  const seconds = event["seconds"];
  const bytes = memberOf(event, "bytes");
  const [sent, received] = [memberOf(bytes, "sent"), memberOf(bytes, "received")];
  const amount = (value: unknown) => typeof value === "number" ? shortSize(value) : "";
  const time = typeof seconds === "number" ? shortSpan(seconds) : "";
  return `${time.padStart(5)} ${amount(sent).padStart(5)} ${amount(received).padStart(5)}`;
}
