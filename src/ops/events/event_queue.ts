/** What one watch may have waiting for it. */
export interface EventQueueLimits {
  readonly events: number;
  /** Characters of their frames. */
  readonly chars: number;
}

/**
 * What waits for one watch, in order and bounded. What comes while it is full is lost, until half of it has gone: a reader
 * that is too slow gets pieces of what happened with few gaps, and each gap says how much is missing.
 */
export class EventQueue {
  readonly #limits: EventQueueLimits;
  readonly #lostFrame: (count: number) => string;
  #frames: string[] = [];
  /** The first frame that has not been taken. */
  #first = 0;
  #chars = 0;
  #lost = 0;
  #full = false;

  /** @param lostFrame makes what stands where events are missing */
  constructor(limits: EventQueueLimits, lostFrame: (count: number) => string) {
    this.#limits = limits;
    this.#lostFrame = lostFrame;
  }

  /** Frames that wait. */
  get size(): number {
    return this.#frames.length - this.#first;
  }

  get chars(): number {
    return this.#chars;
  }

  /** What comes now is lost: no frame need be made of it. */
  get full(): boolean {
    return this.#full;
  }

  /** Events are lost before they come here; to be called only while it is {@link full}. */
  lose(count: number): void {
    this.#lost += count;
  }

  /** Adds a frame, or loses it. @param events how many it stands for */
  push(frame: string, events = 1): void {
    const limits = this.#limits;
    this.#full ||= this.size >= limits.events || this.#chars + frame.length > limits.chars;
    if (this.#full) this.#lost += events;
    else this.#add(frame);
  }

  /** Takes the first frames: as many as have so many characters together, and one at least. Empty: nothing waits. */
  take(maxChars: number): string {
    let text = "";
    while (this.size > 0) {
      const frame = this.#frames[this.#first] ?? "";
      if (text !== "" && text.length + frame.length > maxChars) break;
      this.#first++;
      text += frame;
    }
    this.#chars -= text.length;
    // What has been taken is dropped at once where that is most of it, so that the list never holds more than twice its bound.
    if (this.#first > this.size) {
      this.#frames = this.#frames.slice(this.#first);
      this.#first = 0;
    }
    this.#reopen();
    return text;
  }

  #reopen(): void {
    const { events, chars } = this.#limits;
    if (!this.#full || this.size > events / 2 || this.#chars > chars / 2) return;
    this.#full = false;
    const count = this.#lost;
    this.#lost = 0;
    this.#add(this.#lostFrame(count));
  }

  #add(frame: string): void {
    this.#frames.push(frame);
    this.#chars += frame.length;
  }
}
