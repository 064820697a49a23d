import type { TLSSocket } from "node:tls";
import { follow, ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { ClientTrust } from "./client_trust.ts";
import { EdgeError } from "../edge/edge_error.ts";

/** How often open connections are looked through for certificates that have ended, in milliseconds. */
const sweepMs = 10_000;

/** How long connections are judged at a stretch; each may cost the check of a signature. */
const stretchMs = 10;

/**
 * The open connections of a listener that demands certificates. They are judged anew when the CAs change, or one of them
 * ends, and closed when their certificate ends or is no longer good.
 */
export class TrustedConnections {
  readonly #clock: Clock;
  readonly #onClosed: (error: Error) => void;
  /** Each with the end of its certificate, in milliseconds since the epoch. */
  readonly #open = new Map<TLSSocket, number>();
  #trust: ClientTrust;
  #validAuthorities: number;
  #sweep: Deadline | undefined;
  /** Counts judgements, so that a newer one ends an older one. */
  #judgement = 0;

  constructor(trust: ClientTrust, clock: Clock, onClosed: (error: Error) => void) {
    this.#clock = clock;
    this.#trust = trust;
    this.#validAuthorities = trust.validAt(this.#clock.timeOfDay());
    this.#onClosed = onClosed;
    this.#plan();
  }

  /** A connection whose certificate has just been found good. */
  add(socket: TLSSocket): void {
    this.#open.set(socket, this.#trust.endOf(socket));
    socket.once("close", () => this.#open.delete(socket));
  }

  /** Other CAs are trusted from now on. */
  changed(trust: ClientTrust): void {
    this.#trust = trust;
    this.#validAuthorities = trust.validAt(this.#clock.timeOfDay());
    follow(ownerOf("certificates"), this.#judgeAll());
  }

  /** Ends the watch; connections stay as they are. */
  stop(): void {
    this.#judgement++;
    this.#sweep?.cancel();
    this.#open.clear();
  }

  #plan(): void {
    this.#sweep = this.#clock.after(sweepMs, () => {
      this.#plan();
      this.#closeExpired();
    }, ownerOf("certificates"));
  }

  #closeExpired(): void {
    const now = this.#clock.timeOfDay();
    const validAuthorities = this.#trust.validAt(now);
    if (validAuthorities !== this.#validAuthorities) {
      this.#validAuthorities = validAuthorities;
      return follow(ownerOf("certificates"), this.#judgeAll());
    }
    for (const [socket, end] of this.#open) {
      if (end < now) this.#close(socket, `its certificate expired on ${new Date(end).toISOString()}`);
    }
  }

  async #judgeAll(): Promise<void> {
    const judgement = ++this.#judgement;
    // One verdict for all connections of one certificate: clients have one for each dial.
    const verdicts = new Map<string, string>();
    let since = this.#clock.now();
    for (const socket of [...this.#open.keys()]) {
      if (judgement !== this.#judgement) return;
      if (!socket.destroyed) {
        const verdict = this.#trust.verdict(socket, this.#clock.timeOfDay(), verdicts);
        if (verdict !== "") this.#close(socket, verdict);
      }
      if (this.#clock.now() - since < stretchMs) continue;
      await new Promise<void>((resolve) => this.#clock.after(1, resolve, ownerOf("certificates")));
      since = this.#clock.now();
    }
  }

  #close(socket: TLSSocket, why: string): void {
    this.#open.delete(socket);
    socket.destroy();
    this.#onClosed(new EdgeError("revoked_certificate", `${why} (--close-revoked)`));
  }
}
