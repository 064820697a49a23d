import { connect, type Server } from "node:net";

/** Socket file: its owner and group may connect, nobody else. */
const socketMode = 0o770;

/** What others may not do with a file that is being made: anything. */
const privateMask = 0o077;

/** Which file a path led to; a path can lead to another one later. */
export interface SocketFile {
  readonly path: string;
  readonly device: number;
  readonly inode: number | null;
}

/**
 * Runs what creates a socket file so that others may not connect before the file has its mode. Where the sandbox does not
 * allow that (the launchers set the mask for the whole process instead), the mode is all there is, and is set at once.
 */
export function withPrivateMask(create: () => void): void {
  let before: number | undefined;
  try {
    before = Deno.umask(privateMask);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
  try {
    create();
  } finally {
    if (before !== undefined) Deno.umask(before);
  }
}

/** Begins to listen on a path, in one turn of the event loop: the file never has another mode than its own. */
export function openSocketFile(server: Server, path: string, backlog: number, done: () => void): void {
  withPrivateMask(() => server.listen({ path, backlog }, done));
  // A server that could not bind has no handle, and reports an error later; the file is then another's.
  if (server.listening) Deno.chmodSync(path, socketMode);
}

/** The file at a path now; undefined where there is none. */
export function socketFileAt(path: string): SocketFile | undefined {
  try {
    const { dev, ino } = Deno.lstatSync(path);
    return { path, device: dev, inode: ino };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Whether a path still leads to the file. */
export function isSameFile(file: SocketFile): boolean {
  const now = socketFileAt(file.path);
  return now !== undefined && now.device === file.device && now.inode === file.inode;
}

/** Whether a path leads to another file now; where there is none, nobody's is removed by mistake. */
export function isReplaced(file: SocketFile): boolean {
  return socketFileAt(file.path) !== undefined && !isSameFile(file);
}

/** Removes a socket file that nobody serves; one that is served, or is no socket, stays and is an error. */
export async function removeStaleSocket(path: string): Promise<void> {
  let info: Deno.FileInfo;
  try {
    info = await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  if (info.isSocket !== true) throw new Error("the file exists and is not a socket; remove it or choose another path");
  if (await isServed(path)) throw new Error("another process serves this socket; stop it or choose another path");
  await Deno.remove(path);
}

/** Errors of a connection attempt that say that nobody listens. Any other (a full backlog is EAGAIN) says nothing of it. */
const unserved: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENOENT"]);

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error) => void resolve(!unserved.has(Reflect.get(error, "code"))));
  });
}
