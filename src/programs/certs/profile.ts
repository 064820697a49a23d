import type { LeafOptions } from "./issue.ts";

/** One authority and the certificates it issues. */
export interface Pki {
  /** Folder of its files, below the tree's. */
  readonly folder: string;
  /** The address by which its server is reached. */
  readonly serverIp: string;
  readonly leaves: readonly Leaf[];
}

/** A certificate of the tree: its files are `issued/NAME.crt` and `private/NAME.key`. */
export interface Leaf {
  readonly name: string;
  readonly options: LeafOptions;
}

/** The address that clients of the frontend use in every example of the original. */
const frontendIp = "127.0.0.1";

/**
 * The tree that the original's `make certs` writes: one authority for the server and its clients, one for the server
 * and its agents. Names, usages and alternative names are the same.
 * @param serverIp where agents reach the server: IPv4, or IPv6 without brackets
 */
export function treeProfile(serverIp: string): readonly Pki[] {
  return [
    { folder: "frontend", serverIp: frontendIp, leaves: [server(frontendIp), client("proxy-client")] },
    { folder: "agent", serverIp, leaves: [server(serverIp), client("proxy-agent")] },
  ];
}

function server(address: string): Leaf {
  const name = "proxy-frontend";
  const options: LeafOptions = {
    commonName: name,
    usages: ["server"],
    names: ["kubernetes", "localhost"],
    addresses: [address],
  };
  return { name, options };
}

function client(name: string): Leaf {
  return { name, options: { commonName: name, usages: ["client"] } };
}
