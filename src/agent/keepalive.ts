import type { Clock } from "./clock.ts";

/** How a silent peer is noticed. */
export interface KeepaliveOptions {
  /** A peer that was silent for so long is asked, in milliseconds; 0: never. */
  readonly timeMs: number;
  /** How long it may take to answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** What keepalive watches. */
export interface KeepalivePeer {
  /** Changes whenever the peer shows that it lives. */
  readonly activity: number;
  /** Asks the peer; fulfilled when it has answered, never when it does not. */
  probe(): Promise<void>;
  /** The peer did not answer in time. */
  dead(): void;
}

/**
 * Watches one link: asks its peer when it has been silent, and gives it up when it does not answer. A peer that sends or
 * takes data lives, even when its answer waits behind that data on a slow line.
 */
export class Keepalive {
  readonly #peer: KeepalivePeer;
  readonly #options: KeepaliveOptions;
  readonly #clock: Clock;
  #cancel: () => void = () => {};
  #seen = 0;
  #silentSince = 0;
  #probing = false;
  #stopped = false;

  constructor(peer: KeepalivePeer, options: KeepaliveOptions, clock: Clock) {
    this.#peer = peer;
    this.#options = options;
    this.#clock = clock;
  }

  start(): void {
    if (this.#options.timeMs === 0) return;
    this.#alive();
    this.#schedule();
  }

  /** Ends the watch. */
  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  /** Asks the peer now, whatever it did lately: there is reason to doubt. */
  doubt(): void {
    if (!this.#stopped && !this.#probing) this.#probe();
  }

  #schedule(): void {
    this.#cancel();
    // Twice per interval: silence is noticed after one and a half intervals at the latest.
    this.#cancel = this.#clock.after(this.#options.timeMs / 2, () => this.#look());
  }

  #look(): void {
    if (this.#peer.activity !== this.#seen) this.#alive();
    if (this.#clock.now() - this.#silentSince >= this.#options.timeMs) this.#probe();
    else this.#schedule();
  }

  #probe(): void {
    this.#probing = true;
    const before = this.#peer.activity;
    this.#cancel();
    this.#cancel = this.#clock.after(this.#options.timeoutMs, () => {
      this.#probing = false;
      if (this.#peer.activity !== before) return this.#goOn();
      this.stop();
      this.#peer.dead();
    });
    void this.#peer.probe().then(() => {
      if (!this.#probing || this.#stopped) return;
      this.#probing = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    this.#alive();
    if (this.#options.timeMs > 0) this.#schedule();
    else this.#cancel();
  }

  #alive(): void {
    this.#seen = this.#peer.activity;
    this.#silentSince = this.#clock.now();
  }
}
