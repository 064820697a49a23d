/**
 * Why a name has no addresses:
 * - `no-such-host`: nobody knows the name, or it has no addresses
 * - `timeout`: no name server has answered in time
 * - `misbehaving`: the name servers cannot answer now
 * - `failed`: they could not be asked
 * - `too-many`: too many other names are being looked up
 */
export type LookupFailureCode = "no-such-host" | "timeout" | "misbehaving" | "failed" | "too-many";

/** The reasons in the words of Go's net package, which users search for. */
export const lookupReasons = {
  "no-such-host": "no such host",
  timeout: "i/o timeout",
  misbehaving: "server misbehaving",
} as const;

/** A name could not be resolved. The message is worded as Go does it. */
export class LookupError extends Error {
  override readonly name = "LookupError";
  readonly code: LookupFailureCode;
  readonly #reason: string;
  readonly #server: string | undefined;

  /**
   * @param host the name as it was asked for
   * @param server the name server that answered, or was asked last, with its port
   */
  constructor(code: LookupFailureCode, host: string, reason: string, server?: string, options?: ErrorOptions) {
    super(`lookup ${host}${server === undefined ? "" : ` on ${server}`}: ${reason}`, options);
    this.code = code;
    this.#reason = reason;
    this.#server = server;
  }

  /** The same failure for another name: what was asked for, in place of what the search list made of it. */
  named(host: string): LookupError {
    return new LookupError(this.code, host, this.#reason, this.#server, { cause: this.cause });
  }
}
