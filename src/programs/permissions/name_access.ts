import { parseResolvConf } from "../../dial/dns/resolv_conf.ts";
import { systemFiles } from "../../dial/dns/system_files.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";

/** What resolving names takes: entries of the runtime's permissions. */
export interface NameAccess {
  readonly net: readonly string[];
  readonly read: readonly string[];
}

export const noNameAccess: NameAccess = { net: [], read: [] };

/** A socket for datagrams takes leave to listen on a port that the system chooses; nothing can be dialled by it. */
const unboundPorts = { ipv4: "0.0.0.0:0", ipv6: "[::]:0" } as const;

/** Whether an entry is leave to listen on a port that the system chooses. */
export function isUnboundPort(entry: string): boolean {
  return Object.values<string>(unboundPorts).includes(entry);
}

/**
 * The system's files on names, and the name servers that they name now. Servers that are named later may not be asked: a
 * list of permissions cannot change, and one that allowed port 53 everywhere would let every destination be dialled there.
 */
export function nameAccessOf(readText: (path: string) => string): NameAccess {
  let text = "";
  try {
    text = readText(systemFiles.resolvConf);
  } catch {
    // Without the file, a name server is expected on this machine.
  }
  const { servers } = parseResolvConf(text);
  const ipv6 = servers.filter((server) => server.includes(":"));
  const ipv4 = servers.filter((server) => !server.includes(":"));
  return {
    net: [
      ...(ipv4.length > 0 ? [unboundPorts.ipv4] : []),
      ...(ipv6.length > 0 ? [unboundPorts.ipv6] : []),
      ...[...ipv4, ...ipv6].map((server) => formatHostPort(server, 53)),
    ],
    read: Object.values(systemFiles),
  };
}
