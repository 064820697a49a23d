import type { ListenAddress } from "../../net/tcp/listen.ts";
import type { ServerOptions } from "./server_options.ts";

/** What workers of one server need, which all listen at the same addresses. */
export interface ListenerSharing {
  /** Of the frontend's Unix socket, which another worker opened; undefined for the first worker, and on TCP. */
  readonly socketFd: number | undefined;
}

/** Where clients connect. */
export function frontendAddress(options: ServerOptions): ListenAddress {
  return options.udsName === ""
    ? { kind: "tcp", host: options.serverBindAddress, port: options.serverPort }
    : { kind: "unix", path: options.udsName, deleteExisting: options.deleteExistingUdsFile };
}

/** Where agents connect. */
export function agentsAddress(options: ServerOptions): ListenAddress {
  return { kind: "tcp", host: options.agentBindAddress, port: options.agentPort };
}

/** An address as one of the workers of a command listens there. */
export function sharedAddress(address: ListenAddress, sharing: ListenerSharing | undefined): ListenAddress {
  if (sharing === undefined) return address;
  if (address.kind === "tcp" || sharing.socketFd === undefined) return { ...address, shared: true };
  return { ...address, shared: true, fd: sharing.socketFd };
}
