import { EventHub, type EventHubOptions } from "../../../src/ops/events/event_hub.ts";
import { parseEventQuery } from "../../../src/ops/events/event_query.ts";
import type { EventWatch } from "../../../src/ops/events/event_watch.ts";
import { serverEvents } from "../../../src/ops/events/server_event.ts";
import { VirtualClock } from "../fakes/virtual_clock.ts";

/** The hub of a server that is ready, in the time of a clock that the test turns. */
export function eventHub(options: Partial<EventHubOptions> = {}): EventHub {
  return new EventHub({
    facts: { name: "proxy-server", version: "v0", notReady: () => undefined },
    id: "s",
    vocabulary: serverEvents,
    clock: new VirtualClock(),
    ...options,
  });
}

/** An event as a reader of it sees it. */
export type SeenEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** The events in a text of server-sent events, each with its number where it has one. */
export function eventsIn(text: string): { readonly id: string | undefined; readonly event: SeenEvent }[] {
  return text.split("\n\n").slice(0, -1).flatMap((frame) => {
    const lines = frame.split("\n");
    const [data, ...others] = lines.filter((line) => line.startsWith("data: "));
    if (others.length > 0) throw new Error(`two data lines in ${JSON.stringify(frame)}`);
    if (data === undefined) return [];
    const id = lines.find((line) => line.startsWith("id: "))?.slice("id: ".length);
    return [{ id, event: JSON.parse(data.slice("data: ".length)) as SeenEvent }];
  });
}

/** Reads a watch, a piece at a time, when the test says so. */
export class WatchReader {
  readonly watch: EventWatch;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  /** All that was read. */
  text = "";

  constructor(watch: EventWatch) {
    this.watch = watch;
    this.#reader = watch.body.getReader();
    // Whoever wants to know of its end reads.
    this.#reader.closed.catch(() => {});
  }

  /** Begins a watch. @param query as in a request */
  static of(hub: EventHub, query = ""): WatchReader {
    const watch = hub.watch(parseEventQuery(new URLSearchParams(query), hub.vocabulary));
    if (typeof watch === "string") throw new Error(`no watch: ${watch}`);
    return new WatchReader(watch);
  }

  /** Asks for a piece. @returns the piece; undefined at the end */
  async piece(): Promise<string | undefined> {
    const { done, value } = await this.#reader.read();
    if (done) return undefined;
    const text = new TextDecoder().decode(value);
    this.text += text;
    return text;
  }

  get events(): SeenEvent[] {
    return eventsIn(this.text).map(({ event }) => event);
  }

  get types(): string[] {
    return this.events.map(({ type }) => type);
  }

  async leave(): Promise<void> {
    await this.#reader.cancel();
  }
}
