import { isIP } from "node:net";

/** The addresses of names, in lower case and without a final dot. */
export type Hosts = ReadonlyMap<string, readonly string[]>;

/** Reads the text of a hosts(5) file. A name that stands on several lines has the addresses of all. */
export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (names.length === 0 || isIP(address) === 0) continue;
    for (const name of names) {
      const key = hostKey(name);
      const known = hosts.get(key);
      if (known === undefined) hosts.set(key, [address]);
      else if (!known.includes(address)) known.push(address);
    }
  }
  return hosts;
}

/** The form in which a name stands in {@link Hosts}. */
export function hostKey(name: string): string {
  return name.replace(/\.$/, "").toLowerCase();
}
