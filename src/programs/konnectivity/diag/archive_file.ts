import { tarEnd, type TarEntry, tarFile } from "./tar_writer.ts";

/** The archive cannot be written. The message says why, and what to do. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
  readonly code = "cannot-write";
}

/** Where an archive is written until it is whole. */
export function unfinishedPath(path: string): string {
  return `${path}.part`;
}

/**
 * A .tar.gz that is written file by file. It has its name once it is whole: whoever finds it has all of it. Its owner alone may
 * read it.
 */
export class ArchiveFile implements AsyncDisposable {
  readonly #path: string;
  readonly #writer: WritableStreamDefaultWriter<BufferSource>;
  /** Fulfilled when all that was written is in the file. */
  readonly #written: Promise<void>;
  #finished = false;

  private constructor(path: string, target: WritableStream<Uint8Array>, preventClose: boolean) {
    this.#path = path;
    const gzip = new CompressionStream("gzip");
    this.#writer = gzip.writable.getWriter();
    this.#written = gzip.readable.pipeTo(target, { preventClose });
    // Whoever writes or finishes hears of it.
    this.#written.catch(() => {});
    this.#writer.closed.catch(() => {});
  }

  /** @param path `-` for stdout @throws {ArchiveError} also where there is such a file: nothing is overwritten */
  static async create(path: string): Promise<ArchiveFile> {
    if (path === "-") return new ArchiveFile(path, Deno.stdout.writable, true);
    if (await isThere(path)) {
      throw new ArchiveError(`${path} is there already: name another file with -o, or move it away`);
    }
    const part = unfinishedPath(path);
    try {
      // What an ended run has left; a link that somebody put there is removed, and not followed.
      if (await isThere(part)) await Deno.remove(part);
      const file = await Deno.open(part, { write: true, createNew: true, mode: 0o600 });
      return new ArchiveFile(path, file.writable, false);
    } catch (cause) {
      throw writeError(path, cause);
    }
  }

  /** Adds a file. @throws {ArchiveError} */
  async add(entry: TarEntry): Promise<void> {
    await this.#write(tarFile(entry, Date.now()));
  }

  /** Ends the archive, and gives it its name. @throws {ArchiveError} */
  async finish(): Promise<void> {
    await this.#write([tarEnd()]);
    try {
      await this.#writer.close();
      await this.#written;
      if (this.#path !== "-") {
        if (await isThere(this.#path)) throw new Error("somebody has made it meanwhile");
        await Deno.rename(unfinishedPath(this.#path), this.#path);
      }
      this.#finished = true;
    } catch (cause) {
      throw writeError(this.#path, cause);
    }
  }

  /** Leaves nothing of an archive that is not whole. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#finished) return;
    if (this.#path === "-") return;
    await this.#writer.abort().catch(() => {});
    await this.#written.catch(() => {});
    await Deno.remove(unfinishedPath(this.#path)).catch(() => {});
  }

  async #write(pieces: Iterable<Uint8Array>): Promise<void> {
    try {
      for (const piece of pieces) {
        await this.#writer.ready;
        // What comes from sockets and encoders lies in plain buffers.
        await this.#writer.write(piece as Uint8Array<ArrayBuffer>);
      }
    } catch (error) {
      if (error instanceof RangeError) throw error;
      // What went wrong is what the file said, and not that the stream before it has ended.
      const cause = await this.#written.then(() => error, (reason: unknown) => reason);
      throw writeError(this.#path, cause);
    }
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw writeError(path, error);
  }
}

function writeError(path: string, cause: unknown): ArchiveError {
  if (cause instanceof ArchiveError) return cause;
  const where = path === "-" ? "to stdout" : path;
  const why = cause instanceof Deno.errors.NotFound
    ? "its folder is not there"
    : cause instanceof Error
    ? cause.message
    : String(cause);
  return new ArchiveError(`cannot write ${where}: ${why}; name a file in a folder that can be written to with -o`, {
    cause,
  });
}
