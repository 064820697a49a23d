import process from "node:process";
import { owned, ownerOf } from "../faults/owned.ts";
import { LookupError, type LookupFailureCode, lookupReasons } from "./dns/lookup_error.ts";

/** Waits for a place at something that only so many may use at once, in the order of arrival. */
export class Gate {
  readonly #max: number;
  readonly #waiting = new Set<() => void>();
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Runs `use` once there is a place. Rejects with the signal's reason when it aborts while it waits. */
  async pass<T>(signal: AbortSignal, use: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#used < this.#max) this.#used++;
    else await this.#turn(signal);
    try {
      return await use();
    } finally {
      const [next] = this.#waiting;
      if (next === undefined) this.#used--;
      else next();
    }
  }

  /** The place of one that leaves passes to the first that waits. */
  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiting.delete(begin);
        signal.removeEventListener("abort", onAbort);
      };
      const begin = () => {
        settle();
        resolve();
      };
      const onAbort = owned(ownerOf("dial", reject), () => {
        settle();
        reject(signal.reason);
      });
      this.#waiting.add(begin);
      signal.addEventListener("abort", onAbort);
    });
  }
}

const codes: Readonly<Record<string, LookupFailureCode & keyof typeof lookupReasons>> = {
  ENOTFOUND: "no-such-host",
  ENODATA: "no-such-host",
  EAI_NONAME: "no-such-host",
  EAI_NODATA: "no-such-host",
  EAI_AGAIN: "misbehaving",
  EAI_FAIL: "misbehaving",
};

/**
 * Has the system's library resolve a name (getaddrinfo). It blocks a thread of the runtime, of which the log and files use
 * the same few, for as long as a name server is silent, and cannot be given up.
 * @throws {LookupError} the runtime's error where its permissions do not allow the name
 */
export function lookupBySystem(host: string, family: 0 | 4 | 6, port: number | undefined): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    // The port is none of Node's options: with it the runtime holds the look-up against permissions for name and port.
    const options = { all: true, family, ...(port === undefined ? {} : { port }) } as const;
    // Loaded when it is first needed: a server of Unix sockets resolves nothing.
    process.getBuiltinModule("node:dns").lookup(host, options, (error, found) => {
      if (error === null) return resolve(found.map(({ address }) => address));
      const code = codes[error.code ?? ""];
      reject(
        code === undefined ? error : new LookupError(code, host, lookupReasons[code], undefined, { cause: error }),
      );
    });
  });
}
