import { get, type IncomingMessage } from "node:http";
import { until } from "../assert/until.ts";
import { eventsIn, type SeenEvent } from "../memory/watched_hub.ts";

/** Watches the events of a program on 127.0.0.1, until it is disposed. */
export class EventReader implements Disposable {
  readonly #response: IncomingMessage;
  /** What was read and is not parsed yet. */
  #rest = "";
  readonly #events: SeenEvent[] = [];
  #end: "open" | "in order" | "broken" = "open";

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#read(text));
    response.on("end", () => this.#end = response.complete ? "in order" : "broken");
    response.on("error", () => this.#end = "broken");
    response.on("close", () => {
      if (this.#end === "open") this.#end = "broken";
    });
  }

  /** Begins a watch, and waits until it has its hello. @param query with its question mark */
  static async open(port: number, query = ""): Promise<EventReader> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: `/events${query}`, agent: false }, resolve).on("error", reject);
    });
    if (response.statusCode !== 200) throw new Error(`a watch was answered with ${response.statusCode}`);
    const reader = new EventReader(response);
    await reader.seen("hello");
    return reader;
  }

  get events(): readonly SeenEvent[] {
    return this.#events;
  }

  get end(): "open" | "in order" | "broken" {
    return this.#end;
  }

  /** The events of a type. */
  all(type: string): SeenEvent[] {
    return this.#events.filter((event) => event.type === type);
  }

  /** Waits for an event. */
  async seen(type: string, matches: (event: SeenEvent) => boolean = () => true): Promise<SeenEvent> {
    const found = await until(`an event ${type} is seen`, () => this.all(type).find(matches) ?? this.#endedEarly());
    return found as SeenEvent;
  }

  /** Reads no more, until it resumes. */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  [Symbol.dispose](): void {
    this.#response.destroy();
  }

  #endedEarly(): undefined {
    if (this.#end === "broken") throw new Error("the watch broke off");
    return undefined;
  }

  #read(text: string): void {
    this.#rest += text;
    const end = this.#rest.lastIndexOf("\n\n") + 2;
    if (end === 1) return;
    this.#events.push(...eventsIn(this.#rest.slice(0, end)).map(({ event }) => event));
    this.#rest = this.#rest.slice(end);
  }
}
