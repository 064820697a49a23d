import type { Socket } from "node:net";
import type { GatedReader } from "./memory/read_gate.ts";

/** What of a socket's handle this uses: private fields of the runtime, watched by a test. */
interface ReadHandle {
  readStart(): number;
  readStop(): number;
  /** Below TLS: the transport. */
  readonly _parent?: ReadHandle | null;
  /** False: whoever reads the socket has stopped it, for now or from the start. */
  readonly reading?: boolean;
}

/** Sockets of one kind, of which each has its share and all together have theirs, in milliseconds of work. */
interface Turns {
  /** Work on one socket's bytes after which it waits for its next turn. */
  readonly shareMs: number;
  /** Work that those which are read again in one turn of the event loop are expected to bring; one is read in any case. */
  readonly turnMs: number;
  /** So many chunks are not timed behind one that was light: three readings of the clock cost as much as a small chunk. */
  readonly untimed: number;
  /** Those that have had their share, in the order in which they are read again. */
  readonly resting: Set<FairReader>;
}

/** A chunk that takes less is light, in milliseconds. */
const lightMs = 1;

/** What reading alone costs, with the memory that it takes, in milliseconds: a millisecond for 256 KiB. */
const droppedMsPerByte = 1 / (256 * 1024);

/** A chunk that takes longer is heavy: the next are better taken in parts. */
const heavyMs = 4;

/**
 * Sockets that carry what was accepted, and strangers'. A share of those that carry tunnels is enough for bulk data not to
 * be cut into smaller writes than it would be without.
 */
const accepted: Turns = { shareMs: 8, turnMs: 12, untimed: 15, resting: new Set() };
const strangers: Turns = { shareMs: 1, turnMs: 2, untimed: 0, resting: new Set() };

/** Whose bytes are handled now, and since when. */
let current: FairReader | undefined;
let currentSince = 0;
let turnScheduled = false;

/**
 * Reads a socket in turns with all others that are read so: where its bytes have cost their share of work, it is not read
 * further before the next turn of the event loop, and where many sockets cost that much, each turn has a few of them.
 *
 * The runtime (seen in 2.9.6) reads a socket up to 32 times in a row, and as long as there is anything to do it asks the
 * system only in every 61st turn of its loop which other sockets have something to read. A peer whose bytes come faster than
 * they are handled thus keeps all other sockets from being read, while timers go on. The launchers have it ask in every
 * eighth turn (`DENO_TOKIO_EVENT_INTERVAL=8`; in every turn costs bulk data some percent); without that, what is done here
 * bounds the wait to a second or so.
 *
 * It goes well with whatever else stops and starts the socket, such as its owner's `pause()` or `tls_backpressure.ts`: a
 * socket that others have stopped stays stopped after its rest. Its end is not lost, since it is still to be read.
 */
export class FairReader implements GatedReader {
  readonly #socket: Socket;
  #turns: Turns;
  #spentMs = 0;
  /** How many chunks pass untimed before the next one is timed. A field, not a getter: each chunk reads it. */
  untimed: number;
  /** The last chunk, or part of one, that was timed took so long that others should have a turn within the next. */
  heavy = false;
  /** How many chunks there were before the one that is timed now. */
  #untimedBefore: number;
  #resting = false;
  #held = false;
  /** The process has no memory for more; see `read_gate.ts`. */
  #gated = false;
  /** Work that waits for the socket's next turn. */
  #step: (() => void) | undefined;
  /** Others want the socket to be read; noted from the first rest on, which asks the runtime how it was before. */
  #wanted = true;
  #start: (() => void) | undefined;
  #stop: (() => void) | undefined;

  /** @param isAccepted as after {@link FairReader.accept} */
  constructor(socket: Socket, isAccepted = false) {
    this.#socket = socket;
    this.#turns = isAccepted ? accepted : strangers;
    // Most tunnels are over before their first sixteen chunks, which then need no clock.
    this.untimed = this.#untimedBefore = this.#turns.untimed;
  }

  /** The peer has proved who it is and something of it was accepted: it does not share its turns with strangers. */
  accept(): void {
    this.#turns = accepted;
  }

  /** Starts to time the work on bytes of the socket. */
  begin(): void {
    if (current !== undefined) settle();
    current = this;
    currentSince = performance.now();
  }

  /** What follows in this turn is work for the socket's bytes, which were read elsewhere. */
  call(): void {
    if (this.untimed > 0) {
      this.untimed--;
      return;
    }
    this.begin();
    this.end();
  }

  /** The work is done, but for the microtasks that it has queued, which count too. */
  end(): void {
    queueMicrotask(settle);
  }

  /** So much work was done for a chunk that was timed; those before it, which were not, count for as much. */
  spend(ms: number): void {
    this.#spentMs += ms * (1 + this.#untimedBefore);
    this.heavy = ms > heavyMs;
    this.untimed = this.#untimedBefore = ms < lightMs ? this.#turns.untimed : 0;
    if (this.#spentMs >= this.#turns.shareMs && !this.#resting) this.#rest();
  }

  /** So many bytes were read and dropped, of which reading them was all the work. */
  dropped(bytes: number): void {
    this.spend(bytes * droppedMsPerByte);
  }

  /** What is left to do for a chunk is done in the socket's next turn; the socket is not read before. */
  later(step: () => void): void {
    this.#step = step;
    if (!this.#resting) this.#rest();
  }

  /** The socket is not read until {@link release}. */
  hold(): void {
    if (this.#held || this.#socket.destroyed || !this.#guard()) return;
    this.#held = true;
    this.#stop?.();
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#read();
  }

  /** {@link GatedReader}. */
  gate(closed: boolean): void {
    if (this.#gated === closed || closed && (this.#socket.destroyed || !this.#guard())) return;
    this.#gated = closed;
    if (closed) this.#stop?.();
    else this.#read();
  }

  /** What a turn with this socket is expected to cost. */
  get expectedMs(): number {
    return this.#spentMs;
  }

  /** The rest is over. */
  resume(): void {
    this.#resting = false;
    this.#spentMs = 0;
    const step = this.#step;
    this.#step = undefined;
    if (step !== undefined && !this.#socket.destroyed) {
      if (current !== undefined) settle();
      current = this;
      currentSince = performance.now();
      step();
      this.end();
    }
    this.#read();
  }

  #read(): void {
    if (this.#wanted && this.#free && !this.#socket.destroyed) this.#start?.();
  }

  get #free(): boolean {
    return !this.#resting && !this.#held && !this.#gated;
  }

  #rest(): void {
    if (this.#socket.destroyed) return;
    this.#resting = true;
    if (this.#guard()) this.#stop?.();
    this.#turns.resting.add(this);
    scheduleTurn();
  }

  /** Has others' wishes noted from now on. Not done before the first rest, which most sockets never take. */
  #guard(): boolean {
    if (this.#start !== undefined) return true;
    const transport = transportOf(this.#socket);
    if (transport === undefined) return false;
    const start = transport.readStart.bind(transport);
    const stop = transport.readStop.bind(transport);
    this.#start = start;
    this.#stop = stop;
    this.#wanted = handleOf(this.#socket)?.reading !== false;
    transport.readStart = () => {
      this.#wanted = true;
      return this.#free ? start() : 0;
    };
    transport.readStop = () => {
      this.#wanted = false;
      return stop();
    };
    return true;
  }
}

/** Reads a socket in turns with others. @returns the reader, to be notified when something of the peer was accepted */
export function readInTurns(socket: Socket, onData: (bytes: Uint8Array) => void, isAccepted = false): FairReader {
  const reader = new FairReader(socket, isAccepted);
  socket.on("data", (bytes: Uint8Array) => {
    if (reader.untimed > 0) {
      reader.untimed--;
      onData(bytes);
      return;
    }
    reader.begin();
    onData(bytes);
    reader.end();
  });
  return reader;
}

/** The handle that reads from the system; undefined where the runtime has it elsewhere. */
export function transportOf(socket: Socket): ReadHandle | undefined {
  const own = handleOf(socket);
  const transport = own?._parent ?? own;
  if (transport === undefined || transport === null) return undefined;
  const reads = typeof transport.readStart === "function" && typeof transport.readStop === "function";
  return reads ? transport : undefined;
}

function handleOf(socket: Socket): ReadHandle | null | undefined {
  return (socket as unknown as { readonly _handle?: ReadHandle | null })._handle;
}

function settle(): void {
  const reader = current;
  if (reader === undefined) return;
  current = undefined;
  reader.spend(performance.now() - currentSince);
}

function scheduleTurn(): void {
  if (turnScheduled) return;
  turnScheduled = true;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  turnScheduled = false;
  for (const { turnMs, resting } of [accepted, strangers]) {
    let expectedMs = 0;
    // Those that rest again at once stand behind the others.
    let count = resting.size;
    for (const reader of resting) {
      if (count-- === 0 || expectedMs > 0 && expectedMs + reader.expectedMs > turnMs) break;
      const expected = reader.expectedMs;
      const since = performance.now();
      resting.delete(reader);
      reader.resume();
      expectedMs += Math.max(expected, performance.now() - since);
    }
  }
  if (accepted.resting.size + strangers.resting.size > 0) scheduleTurn();
}
