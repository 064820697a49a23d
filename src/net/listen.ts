import { connect, createServer, type Server } from "node:net";
import { formatHostPort } from "../wire/host_port.ts";

/** Where a listener takes connections. */
export type ListenAddress = TcpAddress | UnixAddress;

interface TcpAddress {
  readonly kind: "tcp";
  /** Empty: every address of the machine. */
  readonly host: string;
  readonly port: number;
  /** Other workers listen there too, and the operating system deals connections out among them. */
  readonly shared?: boolean;
}

interface UnixAddress {
  readonly kind: "unix";
  readonly path: string;
  readonly deleteExisting: boolean;
  /** Other workers of this process take connections from the same socket. */
  readonly shared?: boolean;
  /** The shared socket's file descriptor: of the worker that opened it, for the others to listen on. */
  readonly fd?: number;
}

/** A listener could not be opened. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code = "listen-failed";
}

/** Socket file: its owner and group may connect, nobody else. */
const socketMode = 0o770;

/** The address as logs and errors show it. */
export function formatAddress(address: ListenAddress): string {
  return address.kind === "unix" ? address.path : formatHostPort(address.host, address.port);
}

/**
 * Binds a server and resolves once it accepts connections; for port 0 the result holds the port that was chosen. A Unix
 * socket's stale file is removed first (unless `deleteExisting` is false) and its mode is set to 0770.
 * @throws {ListenError} naming the address and the cause
 */
export async function listen(server: Server, address: ListenAddress): Promise<ListenAddress> {
  await requirePermission(address);
  if (address.kind === "unix") return await listenUnix(server, address);
  // All addresses of both families, where the machine has IPv6.
  const hosts = address.host === "" ? ["::", "0.0.0.0"] : [address.host];
  let failure: Error | undefined;
  for (const host of hosts) {
    try {
      const where = { port: address.port, host, ...(address.shared === true ? { reusePort: true } : {}) };
      await bind(server, (done) => server.listen(where, done));
      const bound = server.address();
      const port = bound === null || typeof bound === "string" ? address.port : bound.port;
      return { ...address, port };
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
      if (!noIpv6.has(String(Reflect.get(failure, "code")))) break;
    }
  }
  throw failed(address, failure);
}

const noIpv6: ReadonlySet<string> = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/**
 * Takes no more connections; `done` is called when none is left. A shared Unix socket goes on: to close it would close it
 * for every worker, and their descriptors of it would soon be of somebody else's file. It ends with the process.
 */
export function stopListening(server: Server, address: ListenAddress, done: () => void = () => {}): void {
  if (!server.listening || (address.kind === "unix" && address.shared === true)) done();
  else server.close(() => done());
}

/**
 * Finds out whether a port that workers are going to share is free: each of them would also listen beside strangers who share.
 * @throws {ListenError} as {@link listen}
 */
export async function requireFree(address: ListenAddress): Promise<void> {
  if (address.kind === "unix") return;
  // A peer that comes just now, and is not dropped, would keep it open.
  const server = createServer((socket) => socket.destroy());
  await listen(server, { kind: "tcp", host: address.host, port: address.port });
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

async function listenUnix(server: Server, address: UnixAddress): Promise<ListenAddress> {
  try {
    const { fd } = address;
    if (fd !== undefined) {
      await bind(server, (done) => server.listen({ fd }, done));
      return address;
    }
    if (address.deleteExisting) await removeStaleSocket(address.path);
    await bind(server, (done) => server.listen(address.path, done));
    await Deno.chmod(address.path, socketMode);
    return address.shared === true ? { ...address, fd: descriptorOf(server) } : address;
  } catch (error) {
    throw failed(address, error);
  }
}

/** The descriptor of a socket that listens, which the runtime tells nobody: a private field, watched by a test. */
function descriptorOf(server: Server): number {
  const fd: unknown = Reflect.get(Object(Reflect.get(server, "_handle")), "fd");
  if (typeof fd === "number" && fd >= 0) return fd;
  throw new Error("this version of the runtime cannot share a Unix socket, run with --workers=1");
}

/** Removes a socket file that nobody serves; one that is served, or is no socket, stays and is an error. */
async function removeStaleSocket(path: string): Promise<void> {
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

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}

function bind(server: Server, start: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(error);
    server.once("error", onError);
    start(() => {
      server.removeListener("error", onError);
      resolve();
    });
  });
}

/** A refused listen is an uncaught exception on this runtime, so the permission is asked for beforehand. */
async function requirePermission(address: ListenAddress): Promise<void> {
  if (address.kind === "unix") return;
  const host = address.host === "" ? `0.0.0.0:${address.port}` : formatHostPort(address.host, address.port);
  const status = await Deno.permissions.query({ name: "net", host });
  if (status.state === "granted") return;
  throw new ListenError(
    `cannot listen on ${
      formatAddress(address)
    }: the permission sandbox does not allow it, run with --allow-net=${host}`,
  );
}

function failed(address: ListenAddress, cause: unknown): ListenError {
  const why = Reflect.get(Object(cause), "code") === "EADDRINUSE"
    ? "address already in use, stop who uses it or choose another"
    : cause instanceof Error
    ? cause.message
    : String(cause);
  return new ListenError(`cannot listen on ${formatAddress(address)}: ${why}`, { cause });
}
