import { Code, ConnectError } from "@connectrpc/connect";
import type { LinkConnection } from "../../../src/agent/servers/open_link.ts";
import { ownerOf } from "../../../src/faults/owned.ts";
import type { PacketStream, PacketStreamHandler } from "../../../src/streams/packet_stream.ts";
import { drain } from "../../../src/wire/packet.ts";
import type { VirtualClock } from "../../support/fakes/virtual_clock.ts";
import type { Random } from "../random.ts";

/** What a link costs a server: its handshake and its table entries, in milliseconds of one processor (BENCHMARKS.md, a storm). */
export const linkWorkMs = 1.6;

/** How far agents are away, in milliseconds. */
const roundTripMs = 20;

/** When an agent or a server notices that the other is gone without a word, in milliseconds: keepalive's interval and patience. */
const noticedMs = { least: 12_500, most: 27_500 } as const;

const owner = ownerOf("link");

/** A link, whose tunnels and pings are not simulated. */
class ModelLink implements PacketStream {
  readonly direct = true;
  readonly roundTripMs = roundTripMs;
  readonly #clock: VirtualClock;
  readonly #onGone: (link: ModelLink) => void;
  #handler: PacketStreamHandler | undefined;
  gone = false;

  constructor(clock: VirtualClock, onGone: (link: ModelLink) => void) {
    this.#clock = clock;
    this.#onGone = onGone;
  }

  measure(onAnswer?: () => void): void {
    if (onAnswer !== undefined) this.#clock.after(roundTripMs, onAnswer, owner);
  }

  start(handler: PacketStreamHandler): void {
    this.#handler = handler;
  }

  sendPacket(): boolean {
    return true;
  }

  sendData(): boolean {
    return true;
  }

  pause(): void {}

  resume(): void {}

  end(): void {
    this.lose(undefined);
  }

  destroy(error: Error): void {
    this.lose(error);
  }

  /** The server is about to end. */
  drain(): void {
    this.#handler?.onPacket(drain());
  }

  lose(error: Error | undefined): void {
    if (this.gone) return;
    this.gone = true;
    this.#onGone(this);
    this.#clock.after(0, () => {
      this.#handler?.onClose(error === undefined ? { kind: "ended" } : { kind: "failed", error });
    }, owner);
  }
}

/** Work that is done one piece after the other. Whoever has gone while it waited costs nothing. */
class Line {
  readonly #clock: VirtualClock;
  readonly #eachMs: number;
  readonly #waiting: (() => boolean)[] = [];
  #at = 0;
  #working = false;

  constructor(clock: VirtualClock, eachMs: number) {
    this.#clock = clock;
    this.#eachMs = eachMs;
  }

  /** @param step its turn has come; false: it has gone */
  join(step: () => boolean): void {
    this.#waiting.push(step);
    if (this.#working) return;
    this.#working = true;
    this.#clock.after(roundTripMs, () => this.#next(), owner);
  }

  #next(): void {
    while (this.#at < this.#waiting.length) {
      if (this.#waiting[this.#at++]?.() === true) {
        return void this.#clock.after(this.#eachMs, () => this.#next(), owner);
      }
    }
    this.#waiting.length = 0;
    this.#at = 0;
    this.#working = false;
  }
}

/** A server by model: what its links cost it, in the order in which they come. Whoever gives up while it waits costs nothing. */
export class ModelServer {
  readonly id: string;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #links = new Set<ModelLink>();
  readonly #handshakes: Line;
  readonly #reviews: Line | undefined;
  up = true;
  /** When each link was made, in milliseconds. */
  readonly linkedAt: number[] = [];
  attempts = 0;

  /** @param reviewsPerSecond of agents' tokens; absent: agents have none */
  constructor(id: string, clock: VirtualClock, random: Random, reviewsPerSecond?: number) {
    this.id = id;
    this.#clock = clock;
    this.#random = random;
    this.#handshakes = new Line(clock, linkWorkMs);
    this.#reviews = reviewsPerSecond === undefined ? undefined : new Line(clock, 1000 / reviewsPerSecond);
  }

  get links(): number {
    return this.#links.size;
  }

  /** An agent connects. @param serverCount how many servers it reports */
  connect(signal: AbortSignal, serverCount: () => number): Promise<LinkConnection> {
    this.attempts++;
    if (!this.up) return this.#refused();
    return new Promise((resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason));
      this.#handshakes.join(() => {
        if (signal.aborted) return false;
        resolve(this.#connection(serverCount()));
        return true;
      });
    });
  }

  /** It will end soon. */
  drain(): void {
    for (const link of [...this.#links]) link.drain();
  }

  /** Its links end: with a word, or when each agent notices. */
  stop(silently: boolean): void {
    this.up = false;
    const lost = new ConnectError("connection was lost", Code.Unavailable);
    for (const link of [...this.#links]) {
      const inMs = silently ? this.#random.between(noticedMs.least, noticedMs.most) : roundTripMs * this.#random.next();
      this.#clock.after(inMs, () => link.lose(lost), owner);
    }
  }

  #refused(): Promise<LinkConnection> {
    return new Promise((_resolve, reject) => {
      this.#clock.after(roundTripMs, () => reject(new ConnectError("connection refused", Code.Unavailable)), owner);
    });
  }

  #connection(serverCount: number): LinkConnection {
    const link = new ModelLink(this.#clock, (gone) => this.#links.delete(gone));
    const answers: Readonly<Record<string, string>> = {
      "serverid": this.id,
      "servercount": String(serverCount),
      "konnectivity-features": "half-close,window",
    };
    return {
      serverNames: this.id,
      direct: true,
      leaving: new Promise(() => {}),
      open: () => ({
        stream: link,
        metadata: new Promise((resolve) => {
          const answer = () => {
            if (link.gone) return false;
            this.#links.add(link);
            this.linkedAt.push(this.#clock.now());
            resolve((key) => answers[key] === undefined ? [] : [answers[key]]);
            return true;
          };
          if (this.#reviews === undefined) answer();
          else this.#reviews.join(answer);
        }),
      }),
      probe: () => new Promise((resolve) => void this.#clock.after(roundTripMs, resolve, owner)),
      close: () => link.lose(undefined),
    };
  }
}
