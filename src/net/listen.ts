import { connect, type Server } from "node:net";
import { formatHostPort } from "../wire/host_port.ts";

/** Where a listener takes connections. */
export type ListenAddress =
  | { readonly kind: "tcp"; /** Empty: every address of the machine. */ readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly deleteExisting: boolean };

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
      await bind(server, (done) => server.listen(address.port, host, done));
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

async function listenUnix(server: Server, address: ListenAddress & { kind: "unix" }): Promise<ListenAddress> {
  try {
    if (address.deleteExisting) await removeStaleSocket(address.path);
    await bind(server, (done) => server.listen(address.path, done));
    await Deno.chmod(address.path, socketMode);
    return address;
  } catch (error) {
    throw failed(address, error);
  }
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
