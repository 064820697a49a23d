import { closeSync, constants, openSync } from "node:fs";

/** Nobody else reads a log that is new; one that exists keeps its mode. */
const newMode = 0o600;

/** What lines are added to: a file, or a stream that a path names. */
export interface AppendedFile extends Disposable {
  /** Writes what it takes. @returns how many bytes that was */
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  /** How many bytes it has; a stream has none. */
  size(): number;
  /** Removes what it has; a stream has nothing. */
  empty(): void;
  close(): void;
}

/** The paths of the process's own streams. The runtime opens them, like all devices, only for who may do everything. */
const standardStreams: Readonly<Record<string, typeof Deno.stdout>> = {
  "/dev/stdout": Deno.stdout,
  "/dev/fd/1": Deno.stdout,
  "/proc/self/fd/1": Deno.stdout,
  "/dev/stderr": Deno.stderr,
  "/dev/fd/2": Deno.stderr,
  "/proc/self/fd/2": Deno.stderr,
};

/**
 * Opens a file that is written at its end; it is created where there is none. A symbolic link is followed where it is this
 * process' user's or root's: in a folder that others write to, such as /tmp, theirs could lead to any file of this user.
 * @param options `mustBeNew`: a file or link that is there already is an error, for names that nobody else should know
 * @throws where it cannot be opened, or must not be, and where it is a pipe that nobody reads
 */
export function openAppending(path: string, { mustBeNew = false } = {}): AppendedFile {
  const standard = standardStreams[path];
  if (standard !== undefined) return streamOf(standard, () => {});
  try {
    // Links are never followed by this (O_EXCL).
    return fileOf(Deno.openSync(path, { createNew: true, append: true, mode: newMode }));
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new Error("the sandbox does not open it; name a file, /dev/stdout or /dev/stderr", { cause: error });
    }
    if (mustBeNew || !(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  requireOwnLink(path);
  // A link may lead to where there is no file yet.
  const { file, isPipe } = opened(path);
  try {
    requireSameFile(path, file);
    return isPipe ? streamOf(file, () => file.close()) : fileOf(file);
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The system opens a pipe once somebody reads it, and until then the whole process would wait. */
function opened(path: string): { readonly file: Deno.FsFile; readonly isPipe: boolean } {
  const open = () => Deno.openSync(path, { create: true, append: true, mode: newMode });
  if (!isPipeAt(path)) return { file: open(), isPipe: false };
  let probe: number;
  try {
    probe = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new Error("it is a pipe that nobody reads", { cause });
  }
  // Closed last: whoever reads would take it for the end.
  try {
    return { file: open(), isPipe: true };
  } finally {
    closeSync(probe);
  }
}

function isPipeAt(path: string): boolean {
  try {
    return mayAsk(path) && Deno.statSync(path).isFifo === true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function fileOf(file: Deno.FsFile): AppendedFile {
  return {
    ...streamOf(file, () => file.close()),
    // Its end is its size; asking for that by name would take leave to read what may only be written.
    size: () => file.seekSync(0, Deno.SeekMode.End),
    empty: () => file.truncateSync(0),
  };
}

function streamOf(stream: Pick<Deno.FsFile, "write" | "writeSync">, close: () => void): AppendedFile {
  return {
    write: (bytes) => stream.write(bytes),
    writeSync: (bytes) => stream.writeSync(bytes),
    size: () => 0,
    empty: () => {},
    close,
    [Symbol.dispose]: close,
  };
}

/** Whether reading is granted, without which nothing of a file can be asked; the launchers grant it. */
function mayAsk(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

function requireOwnLink(path: string): void {
  if (!mayAsk(path)) return;
  const { isSymlink, uid } = Deno.lstatSync(path);
  if (!isSymlink || uid === 0 || uid === ownUser()) return;
  throw new Error(`it is a symbolic link of another user (${uid}); remove it, or name the file that it leads to`);
}

/** What was checked may have been replaced before it was opened. */
function requireSameFile(path: string, file: Deno.FsFile): void {
  if (!mayAsk(path)) return;
  requireOwnLink(path);
  const [opened, found] = [file.statSync(), Deno.statSync(path)];
  if (opened.dev === found.dev && opened.ino === found.ino) return;
  throw new Error("it was replaced while it was opened; try again, in a folder that others cannot write to");
}

/** Undefined where the sandbox hides it: then only root's links are followed. */
function ownUser(): number | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "uid" });
  return state === "granted" ? Deno.uid() ?? undefined : undefined;
}
