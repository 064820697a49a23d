import { getLogger } from "@logtape/logtape";
import type { Socket } from "node:net";
import { connectionOwner, owned, ownerOf } from "../../faults/owned.ts";
import type { TLSSocket } from "node:tls";
import type { Admission } from "./accepting.ts";
import { descriptorLimits, type DescriptorPool, type Descriptors } from "./descriptors.ts";
import { type Stranger, Strangers } from "./strangers.ts";
import { acceptAgainSoon } from "../../runtime/accept_wake.ts";

const log = getLogger(["net", "admission"]);

/** Why a connection or dial was refused; the label of a metric. */
export const refusalReasons = [
  /** All descriptors that are meant for connections of its kind are in use. */
  "descriptors",
  /** Too many connections had proved nothing yet, most of them from its address. */
  "strangers",
  /** Too many connections to a port of pages; the oldest had to go. */
  "pages",
] as const;

export type RefusalReason = typeof refusalReasons[number];

/** What a process reports of connections that it could not have. */
export interface AdmissionEvents {
  connectionRefused(pool: DescriptorPool, reason: RefusalReason): void;
}

/** Refused clients that may get an answer at once; those beyond are closed without. */
const maxAnsweredRefusals = 8;

const texts: Readonly<Record<RefusalReason, string>> = {
  descriptors: "no file descriptors are left for {pool} connections: {open} of {limit} are in use",
  strangers:
    "too many {pool} connections without a verified certificate or an accepted call, one of the address that has most of them is closed",
  pages: "too many {pool} connections, the oldest is closed",
};

function refused(descriptors: Descriptors, events: AdmissionEvents, pool: DescriptorPool, reason: RefusalReason): void {
  events.connectionRefused(pool, reason);
  log.warn(texts[reason], { pool, open: descriptors.open, limit: descriptors.limit ?? "an unknown number" });
}

/** Admits the connections of clients or agents. */
export class PeerAdmission implements Admission {
  readonly #pool: DescriptorPool;
  readonly #descriptors: Descriptors;
  readonly #events: AdmissionEvents;
  readonly #strangers: Strangers | undefined;
  readonly #showCertificates: boolean;
  readonly #answered = new WeakSet<Socket>();
  readonly #answersRefused: boolean;
  #refusing = 0;
  /** One function for all connections of a listener. */
  readonly #onClose = owned(ownerOf("listener"), () => this.#descriptors.release(this.#pool));

  /**
   * @param strangers what peers have to show to be none: a certificate in the handshake, or a call that is accepted;
   * `none` where everybody who can connect is trusted
   * @param answersRefused whether the listener can say why it refuses a connection (see {@link isRefused}); only without TLS
   */
  constructor(
    pool: DescriptorPool,
    descriptors: Descriptors,
    events: AdmissionEvents,
    { strangers, answersRefused = false }: {
      readonly strangers: "certificate" | "call" | "none";
      readonly answersRefused?: boolean;
    },
  ) {
    this.#pool = pool;
    this.#descriptors = descriptors;
    this.#events = events;
    this.#strangers = strangers === "none" ? undefined : new Strangers();
    this.#showCertificates = strangers === "certificate";
    this.#answersRefused = answersRefused;
  }

  /** Whether an accepted call is what makes a peer known: then {@link knows} has to be called for it. */
  get wantsCalls(): boolean {
    return this.#strangers !== undefined && !this.#showCertificates;
  }

  /** Connections that have proved nothing yet. */
  get strangers(): number {
    return this.#strangers?.size ?? 0;
  }

  admits(): boolean {
    if (this.#descriptors.admits(this.#pool)) return true;
    if (this.#answersRefused && this.#refusing < maxAnsweredRefusals) return true;
    this.#refused("descriptors");
    return false;
  }

  accepted(socket: Socket): void {
    if (this.#answersRefused && !this.#descriptors.admits(this.#pool)) this.#answer(socket);
    this.#descriptors.take(this.#pool);
    // Where there are no strangers the system need not be asked who it is.
    if (this.#strangers === undefined) {
      socket.on("close", this.#onClose);
      return;
    }
    const { remoteAddress, remotePort } = socket;
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      this.#descriptors.release(this.#pool);
      this.#introduce(remoteAddress, remotePort);
    };
    socket.on("close", owned(connectionOwner(socket), release));
    if (remoteAddress === undefined || remotePort === undefined) return;
    const stranger: Stranger = {
      remoteAddress,
      remotePort,
      close() {
        // Its descriptor is free in this turn, though the socket says so later: the next one in line may have it.
        release();
        socket.destroy();
      },
    };
    const isFull = this.#descriptors.strangers >= this.#descriptors.maxStrangers;
    this.#descriptors.countStranger(1);
    const surplus = this.#strangers.add(stranger, isFull);
    if (surplus === undefined) return;
    this.#refused("strangers");
    surplus.close();
    acceptAgainSoon();
  }

  secured({ destroyed, remoteAddress, remotePort }: TLSSocket): void {
    if (destroyed || this.#strangers === undefined) return;
    if (this.#showCertificates) this.#introduce(remoteAddress, remotePort);
    else if (remoteAddress !== undefined && remotePort !== undefined) {
      this.#strangers.secured(remoteAddress, remotePort);
    }
  }

  /** A call of a peer was accepted. @param address as the call's peer has it, with its port */
  knows(address: string): void {
    const colon = address.lastIndexOf(":");
    this.#introduce(address.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), Number(address.slice(colon + 1)));
  }

  /** A connection is no stranger's any more. */
  #introduce(remoteAddress: string | undefined, remotePort: number | undefined): void {
    if (this.#strangers === undefined || remoteAddress === undefined || remotePort === undefined) return;
    if (this.#strangers.remove(remoteAddress, remotePort)) this.#descriptors.countStranger(-1);
  }

  /** Whether a connection was accepted only to be refused with a reason. */
  isRefused(socket: Socket): boolean {
    return this.#answered.has(socket);
  }

  #answer(socket: Socket): void {
    this.#answered.add(socket);
    this.#refusing++;
    socket.once("close", owned(connectionOwner(socket), () => void this.#refusing--));
    this.#refused("descriptors");
  }

  #refused(reason: RefusalReason): void {
    refused(this.#descriptors, this.#events, this.#pool, reason);
  }
}

/** Admits the connections of a port of pages: the newest always, at the cost of the oldest. */
export class PagesAdmission implements Admission {
  readonly #pool: DescriptorPool;
  readonly #descriptors: Descriptors;
  readonly #events: AdmissionEvents;
  /** The oldest first. */
  readonly #open = new Set<Socket>();

  constructor(pool: DescriptorPool, descriptors: Descriptors, events: AdmissionEvents) {
    this.#pool = pool;
    this.#descriptors = descriptors;
    this.#events = events;
  }

  admits(): boolean {
    return true;
  }

  accepted(socket: Socket): void {
    const full = this.#open.size >= descriptorLimits.maxPages || !this.#descriptors.admits(this.#pool);
    const [oldest] = this.#open;
    if (full && oldest !== undefined) {
      refused(this.#descriptors, this.#events, this.#pool, "pages");
      this.#open.delete(oldest);
      // Where no descriptor was left the listener is deaf until it is asked to go on, for hundreds that wait behind a flood.
      oldest.once("close", owned(connectionOwner(oldest), acceptAgainSoon));
      oldest.destroy();
    }
    this.#open.add(socket);
    this.#descriptors.take(this.#pool);
    socket.once(
      "close",
      owned(connectionOwner(socket), () => {
        this.#open.delete(socket);
        this.#descriptors.release(this.#pool);
      }),
    );
  }
}

/** Admits dials. */
export class DialAdmission {
  readonly #descriptors: Descriptors;
  readonly #events: AdmissionEvents;

  constructor(descriptors: Descriptors, events: AdmissionEvents) {
    this.#descriptors = descriptors;
    this.#events = events;
  }

  /** Takes a descriptor for a dial, to be given back once. @returns whether there is one */
  take(): boolean {
    if (!this.#descriptors.admits("dial")) {
      refused(this.#descriptors, this.#events, "dial", "descriptors");
      return false;
    }
    this.#descriptors.take("dial");
    return true;
  }

  /** One function for all dials. */
  readonly release = (): void => this.#descriptors.release("dial");
}
