import { flowLimits } from "./flow_limits.ts";

/**
 * How many small payloads in a row make a tunnel interactive that has carried larger ones: bulk is cut in pieces where chunks
 * and frames end, and some of them are small.
 */
const rowBehindBulk = 16;
const rowOtherwise = 2;

/** ...and for how long they have been following each other, in milliseconds: some transfers begin with small payloads. */
const rowLastsMs = 5;

/** How long a tunnel is interactive after a small payload of a conversation, and after a first small answer, in ms. */
const conversationMs = 250;
const firstAnswerMs = 50;

/** Tells an interactive tunnel (requests and answers, key strokes) from one that carries bulk, by the sizes of payloads. */
export class InteractiveDetector {
  /** Small payloads in a row, when the first of them came, and how many make the tunnel interactive. */
  #inRow = 0;
  #rowSince = 0;
  #rowNeeded = rowOtherwise;
  /** The last payload that was received was small, and has not been answered. */
  #unanswered = false;

  /** A payload is sent. @returns for how many milliseconds the tunnel is interactive from now on; 0: it is not */
  sent(bytes: number, now: () => number): number {
    const answers = this.#unanswered;
    this.#unanswered = false;
    if (bytes > flowLimits.smallPayloadBytes) {
      this.#inRow = 0;
      this.#rowNeeded = rowBehindBulk;
      return 0;
    }
    const at = now();
    if (++this.#inRow === 1) this.#rowSince = at;
    if (this.#inRow >= this.#rowNeeded && at - this.#rowSince > rowLastsMs) return conversationMs;
    return answers && this.#rowNeeded !== rowBehindBulk ? firstAnswerMs : 0;
  }

  /** A payload was received from the peer. */
  received(bytes: number): void {
    this.#unanswered = bytes <= flowLimits.smallPayloadBytes;
  }
}
