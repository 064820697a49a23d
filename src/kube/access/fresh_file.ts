import { getLogger } from "@logtape/logtape";
import { readBoundedFile } from "../../runtime/files/bounded_file.ts";
import type { Clock } from "../../runtime/clock.ts";
import { KubeError, textOf } from "../client/kube_error.ts";

const log = getLogger(["kube"]);

/** How old a file's text may be, in milliseconds. Kubernetes rewrites tokens minutes before they end. */
const defaultMaxAgeMs = 10_000;

/** A file that others replace, such as a token: it is read again when what was read of it is old. */
export class FreshFile {
  readonly path: string;
  readonly #what: string;
  readonly #clock: Clock;
  readonly #maxAgeMs: number;
  #text: string | undefined;
  #readAt = -Infinity;
  #failed = false;

  /** @param what the file's use, for errors: `token file` */
  constructor(path: string, what: string, clock: Clock, maxAgeMs: number = defaultMaxAgeMs) {
    this.path = path;
    this.#what = what;
    this.#clock = clock;
    this.#maxAgeMs = maxAgeMs;
  }

  /**
   * The file's text. While it cannot be read or is empty, the last good one stays in use.
   * @throws {KubeError} `bad-credentials` when it could never be read
   */
  async text(): Promise<string> {
    if (this.#text !== undefined && this.#clock.now() - this.#readAt < this.#maxAgeMs) return this.#text;
    try {
      const text = await readBoundedFile(this.path, this.#clock);
      if (text.trim() === "") throw new Error("it is empty");
      this.#text = text;
      this.#failed = false;
    } catch (cause) {
      const message = `cannot read ${this.#what} ${this.path}: ${textOf(cause)}`;
      if (this.#text === undefined) throw new KubeError("bad-credentials", message, { cause });
      if (!this.#failed) log.warn("{message}; what was read before stays in use", { message });
      this.#failed = true;
    }
    this.#readAt = this.#clock.now();
    return this.#text;
  }

  /** Has the file read again at the next use. */
  expire(): void {
    this.#readAt = -Infinity;
  }
}
