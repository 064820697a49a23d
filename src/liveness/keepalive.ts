import type { Owner } from "../faults/fault.ts";
import { follow } from "../faults/owned.ts";
import type { After } from "../streams/progress.ts";

/** When a silent peer is probed and given up. */
export interface KeepaliveOptions {
  /** A peer that was silent for so long is probed, in milliseconds; 0: never. */
  readonly timeMs: number;
  /** How long it may take to answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** The time that a watch goes by. */
export interface KeepaliveClock {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly after: After;
}

/** What keepalive watches. */
export interface KeepalivePeer {
  /** Changes whenever the peer shows that it is alive. */
  readonly activity: number;
  /** Probes the peer; fulfilled when it has answered, never when it does not. */
  probe(): Promise<void>;
  /** The peer did not answer in time. */
  onTimeout(): void;
}

/**
 * Watches one link: probes its peer when it has been silent, and gives it up when it does not answer. A peer that sends or
 * takes data is alive, even when its answer is queued behind that data on a slow line.
 */
export class Keepalive implements Owner {
  readonly place = "link";
  readonly #peer: KeepalivePeer;
  readonly #options: KeepaliveOptions;
  readonly #clock: KeepaliveClock;
  #next: ReturnType<After> | undefined;
  #seen = 0;
  #silentSince = 0;
  #probing = false;
  #stopped = false;

  constructor(peer: KeepalivePeer, options: KeepaliveOptions, clock: KeepaliveClock) {
    this.#peer = peer;
    this.#options = options;
    this.#clock = clock;
  }

  start(): void {
    if (this.#options.timeMs === 0 || this.#stopped) return;
    this.#alive();
    this.#schedule();
  }

  /** Ends the watch. */
  stop(): void {
    this.#stopped = true;
    this.#next?.cancel();
  }

  /** Probes the peer now, whatever it did lately. */
  probeNow(): void {
    if (!this.#stopped && !this.#probing) this.#probe();
  }

  #schedule(): void {
    this.#next?.cancel();
    // Twice per interval: silence is noticed after one and a half intervals at the latest.
    this.#next = this.#clock.after(this.#options.timeMs / 2, () => this.#checkActivity(), this);
  }

  #checkActivity(): void {
    if (this.#peer.activity !== this.#seen) this.#alive();
    if (this.#clock.now() - this.#silentSince >= this.#options.timeMs) this.#probe();
    else this.#schedule();
  }

  #probe(): void {
    this.#probing = true;
    const before = this.#peer.activity;
    this.#next?.cancel();
    this.#next = this.#clock.after(this.#options.timeoutMs, () => {
      this.#probing = false;
      if (this.#peer.activity !== before) return this.#answered();
      this.stop();
      this.#peer.onTimeout();
    }, this);
    follow(this, this.#answer());
  }

  async #answer(): Promise<void> {
    await this.#peer.probe();
    if (!this.#probing || this.#stopped) return;
    this.#probing = false;
    this.#answered();
  }

  /** {@link Owner}: without the watch a dead peer would keep its link, so the link ends. */
  faulted(): void {
    if (this.#stopped) return;
    this.stop();
    this.#peer.onTimeout();
  }

  #answered(): void {
    this.#alive();
    if (this.#options.timeMs > 0) this.#schedule();
    else this.#next?.cancel();
  }

  #alive(): void {
    this.#seen = this.#peer.activity;
    this.#silentSince = this.#clock.now();
  }
}
