import { createServer, type Server } from "node:net";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { type Admission, companionOf, superviseAccepts, surviveAcceptErrors } from "../edge/accepting.ts";
import { isReplaced, openSocketFile, removeStaleSocket, type SocketFile, socketFileAt } from "./unix_socket.ts";

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

/**
 * Connections that may wait to be accepted, as in Go: a burst of dials within one turn of the event loop is none too many.
 * The system bounds it by net.core.somaxconn.
 */
const backlog = 4096;

/** What belongs to a server that listens. */
interface Listener {
  /** Listens on IPv4 where the server itself cannot for both families. */
  readonly companion?: Server;
  readonly file?: SocketFile;
}

const listeners = new WeakMap<Server, Listener>();

/** The address as logs and errors show it. */
export function formatAddress(address: ListenAddress): string {
  return address.kind === "unix" ? address.path : formatHostPort(address.host, address.port);
}

/**
 * Binds a server and resolves once it accepts connections; for port 0 the result holds the port that was chosen. An empty
 * host is every address of both families, whatever net.ipv6.bindv6only says. A Unix socket's stale file is removed first
 * (unless `deleteExisting` is false) and its mode is 0770.
 * @throws {ListenError} naming the address and the cause
 */
export async function listen(server: Server, address: ListenAddress, admission?: Admission): Promise<ListenAddress> {
  await requirePermission(address);
  superviseAccepts(server, address.kind === "tcp", admission);
  try {
    if (address.kind === "unix") return await listenUnix(server, address);
    return { ...address, port: await listenTcp(server, address, admission) };
  } catch (error) {
    throw error instanceof ListenError ? error : failed(address, error);
  } finally {
    if (server.listening) surviveAcceptErrors(server);
  }
}

/**
 * Takes no more connections; `done` is called when none is left. A Unix socket that workers share goes on: to close it
 * would close it for every worker, and their descriptors of it would soon be of somebody else's file. It ends with the
 * process. So does one whose file was replaced, since the runtime would remove the other file.
 */
export function stopListening(server: Server, address: ListenAddress, done: () => void = () => {}): void {
  const { companion, file } = listeners.get(server) ?? {};
  if (file !== undefined && isReplaced(file)) {
    server.unref();
    return done();
  }
  if (!server.listening || (address.kind === "unix" && address.shared === true)) return done();
  if (companion === undefined || !companion.listening) return void server.close(() => done());
  companion.close(() => server.close(() => done()));
}

/**
 * Finds out whether a port that workers are going to share is free: each of them would also listen beside strangers who share.
 * @throws {ListenError} as {@link listen}
 */
export async function requireFree(address: ListenAddress): Promise<void> {
  if (address.kind === "unix") return;
  // A peer that comes just now, and is not dropped, would keep it open.
  const server = createServer((socket) => socket.destroy());
  const bound = await listen(server, { kind: "tcp", host: address.host, port: address.port });
  await new Promise<void>((resolve) => stopListening(server, bound, resolve));
}

/** @returns the port */
async function listenTcp(server: Server, address: TcpAddress, admission: Admission | undefined): Promise<number> {
  const { host, port } = address;
  const reuse = address.shared === true ? { reusePort: true } : {};
  const on = (which: Server, where: string, at: number) => {
    return bind(which, (done) => which.listen({ port: at, host: where, backlog, ...reuse }, done));
  };
  if (host !== "") {
    await on(server, host, port);
    return portOf(server, port);
  }
  if (!await isAllowed("::", port)) {
    await on(server, "0.0.0.0", port);
    return portOf(server, port);
  }
  // IPv4 first, and both where that is possible: a socket for IPv6 takes IPv4 too, and then finds its port in use, unless
  // the system is set otherwise, which cannot be read in the sandbox. Who else has the port is an error in either case.
  const companion = companionOf(server, admission);
  let ipv4Port = port;
  try {
    await on(companion, "0.0.0.0", port);
    ipv4Port = portOf(companion, port);
  } catch (error) {
    if (!noFamily.has(codeOf(error))) throw error;
  }
  try {
    await on(server, "::", ipv4Port);
    if (companion.listening) listeners.set(server, { companion });
    return portOf(server, ipv4Port);
  } catch (error) {
    if (!companion.listening) throw error;
    companion.close();
    await on(server, noFamily.has(codeOf(error)) ? "0.0.0.0" : "::", ipv4Port);
    return portOf(server, ipv4Port);
  }
}

/** The machine has no such family; the runtime says EINVAL where the system says EADDRNOTAVAIL. */
const noFamily: ReadonlySet<unknown> = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL", "EINVAL"]);

function portOf(server: Server, port: number): number {
  const bound = server.address();
  return bound === null || typeof bound === "string" ? port : bound.port;
}

async function listenUnix(server: Server, address: UnixAddress): Promise<ListenAddress> {
  const { fd, path } = address;
  if (fd !== undefined) {
    // Of this form of `listen`, unlike of all others, the runtime takes the backlog as an argument alone, as its types deny;
    // to listen with another one would change that of all workers.
    await bind(server, (done) => void Reflect.apply(server.listen, server, [{ fd }, backlog, done]));
    return address;
  }
  if (address.deleteExisting) await removeStaleSocket(path);
  await bind(server, (done) => openSocketFile(server, path, backlog, done));
  const file = socketFileAt(path);
  if (file !== undefined) listeners.set(server, { file });
  return address.shared === true ? { ...address, fd: descriptorOf(server) } : address;
}

/** The descriptor of a socket that listens, which the runtime does not publish: a private field, watched by a test. */
function descriptorOf(server: Server): number {
  const fd: unknown = Reflect.get(Object(Reflect.get(server, "_handle")), "fd");
  if (typeof fd === "number" && fd >= 0) return fd;
  throw new Error("this version of the runtime cannot share a Unix socket, run with --workers=1");
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
  const host = address.host === "" ? "0.0.0.0" : address.host;
  if (await isAllowed(host, address.port)) return;
  throw new ListenError(
    `cannot listen on ${formatAddress(address)}: the permission sandbox does not allow it, run with --allow-net=${
      formatHostPort(host, address.port)
    }`,
  );
}

async function isAllowed(host: string, port: number): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "net", host: formatHostPort(host, port) });
  return state === "granted";
}

function failed(address: ListenAddress, cause: unknown): ListenError {
  const known = listenErrors[String(codeOf(cause))];
  const why = known ?? (cause instanceof Error ? cause.message : String(cause));
  return new ListenError(`cannot listen on ${formatAddress(address)}: ${why}`, { cause });
}

const listenErrors: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use, stop who uses it or choose another",
  EADDRNOTAVAIL: "no interface of this machine has the address",
  EINVAL: "no interface of this machine has the address",
};

function codeOf(error: unknown): unknown {
  return Reflect.get(Object(error), "code");
}
