import { endingSignals } from "../../signals.ts";
import type { Printer } from "../../terminal.ts";
import { AdminError } from "../status/admin_client.ts";
import { size } from "../status/status_line.ts";
import { printable } from "../text_style.ts";
import { ArchiveError, ArchiveFile } from "./archive_file.ts";
import type { DiagOptions } from "./diag_command.ts";
import { localParts } from "./local_parts.ts";
import { type DiagPart, textFile, whyMissing } from "./diag_part.ts";
import { type DiagTarget, programParts, recordEvents, targetOf } from "./program_parts.ts";
import type { TarEntry } from "./tar_writer.ts";

/** The folder that all files of an archive are in. */
const folder = "konnectivity-diag";

const plain = { colour: false, unicode: true };

/** It was told to end. */
class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly code = "interrupted";
}

/** `konnectivity diag`. @returns 0: all is in the archive, 1: there is none, 2: something is missing */
export async function runDiag(options: DiagOptions, printer: Printer): Promise<number> {
  const err = (line: string) => printer.err(printable(line, plain));
  if (options.output === "-" && Deno.stdout.isTerminal()) {
    err("Error: an archive is nothing for a terminal: name a file with -o, or send the output to one");
    return 1;
  }
  using signals = endingSignals();
  const end = new AbortController();
  // Not all that is waited for hears of the signal, such as a write to a pipe that nobody reads.
  const interrupted = signals.first.then(() => {
    const error = new InterruptedError();
    end.abort(error);
    throw error;
  });
  interrupted.catch(() => {});
  try {
    await using archive = await ArchiveFile.create(options.output);
    const missing = await new Diagnosis(options, archive, err, end.signal, interrupted).run();
    await Promise.race([archive.finish(), interrupted]);
    if (options.output !== "-") printer.out(options.output);
    return missing === 0 ? 0 : 2;
  } catch (error) {
    if (error instanceof ArchiveError) err(`Error: ${error.message}`);
    else if (error instanceof InterruptedError) err("Error: interrupted: there is no archive");
    else throw error;
    return 1;
  }
}

class Diagnosis {
  readonly #options: DiagOptions;
  readonly #archive: ArchiveFile;
  readonly #err: (line: string) => void;
  readonly #signal: AbortSignal;
  /** Rejected when it is told to end. */
  readonly #interrupted: Promise<never>;
  readonly #missing: string[] = [];
  readonly #files: string[] = [];

  constructor(
    options: DiagOptions,
    archive: ArchiveFile,
    err: (line: string) => void,
    signal: AbortSignal,
    interrupted: Promise<never>,
  ) {
    this.#options = options;
    this.#archive = archive;
    this.#err = err;
    this.#signal = signal;
    this.#interrupted = interrupted;
  }

  /** Gathers all there is. @returns how many parts are missing @throws {ArchiveError} {@link InterruptedError} */
  async run(): Promise<number> {
    const { eventSeconds } = this.#options;
    const targets = await this.#targets();
    const watched = targets.map((target) => {
      if (eventSeconds === 0) return { target, events: undefined };
      const events = recordEvents(target.admin, this.#options, this.#signal);
      // Whoever gathers them hears of it.
      events.catch(() => {});
      return { target, events };
    });
    for (const part of localParts(this.#options, targets, (name) => Deno.env.get(name))) await this.#gather(part);
    for (const { target, events } of watched) {
      for (const part of programParts(target, this.#options, events)) await this.#gather(part);
    }
    if (this.#missing.length > 0) await this.#add(textFile("missing.txt", `${this.#missing.join("\n")}\n`));
    await this.#add(textFile("README.txt", this.#readme()));
    return this.#missing.length;
  }

  async #targets(): Promise<readonly DiagTarget[]> {
    const { admin, usual } = this.#options;
    const found: DiagTarget[] = [];
    const silent: (readonly [URL, AdminError])[] = [];
    for (const each of admin) {
      this.#err(`${each.host} is asked`);
      try {
        const target = await this.#orEnd(targetOf(each, this.#options, this.#signal));
        // Long names may differ in what the folder's name has no room for.
        const same = found.filter((other) => other.folder.startsWith(target.folder)).length;
        found.push(same === 0 ? target : { ...target, folder: `${target.folder}-${same + 1}` });
      } catch (error) {
        if (!(error instanceof AdminError)) throw error;
        silent.push([each, error]);
      }
    }
    for (const [{ host }, error] of silent) {
      if (usual && found.length > 0) {
        this.#err(`nothing listens at ${host}: one of the usual admin ports, which is passed over`);
      } else this.#miss(`status, metrics and events of ${host}`, error);
    }
    return found;
  }

  async #gather({ what, before, gather }: DiagPart): Promise<void> {
    if (before !== undefined) this.#err(before);
    let files: readonly TarEntry[];
    try {
      files = await this.#orEnd(gather(this.#signal));
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      return this.#miss(what, error);
    }
    let bytes = 0;
    for (const file of files) {
      bytes += file.pieces.reduce((sum, { length }) => sum + length, 0);
      await this.#add(file);
    }
    this.#err(`${what}: ${size(bytes)}`);
  }

  #miss(what: string, error: unknown): void {
    const line = printable(`${what}: ${whyMissing(error)}`, plain);
    this.#missing.push(line);
    this.#err(`missing: ${line}`);
  }

  async #add(file: TarEntry): Promise<void> {
    this.#files.push(file.name);
    await this.#orEnd(this.#archive.add({ ...file, name: `${folder}/${file.name}` }));
  }

  #orEnd<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#interrupted]);
  }

  #readme(): string {
    const { heap, check, logs, cpuSeconds } = this.#options;
    const more = [
      ...(check.flags === undefined && check.manifest === ""
        ? ["the command line, and what is wrong with it: konnectivity diag server -- FLAGS, or -f MANIFEST"]
        : []),
      ...(logs.length === 0 ? ["logs: --log FILE"] : []),
      ...(cpuSeconds === 0 ? ["where processor time goes: --cpu SECONDS"] : []),
    ];
    return `Made by konnectivity diag at ${new Date().toISOString()}.

Before you hand it on: status, metrics, events, checks and logs name agents, clients, destinations, addresses and paths. They
hold no keys and no tokens, and values of flags that look like secrets are removed.${
      heap ? "\nA HEAP SNAPSHOT HOLDS PRIVATE KEYS AND TOKENS IN CLEAR TEXT, where there is one here." : ""
    }

${this.#files.join("\n")}
${more.length === 0 ? "" : `\nNot asked for:\n${more.map((each) => `- ${each}\n`).join("")}`}`;
  }
}
