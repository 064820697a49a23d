/** Where the addresses of a name are looked for, in this order. */
export interface HostSources {
  readonly order: readonly ("files" | "dns")[];
  /** The system knows names by other means too: mDNS, its own host name, a directory. */
  readonly others: boolean;
}

/** Reads the text of nsswitch.conf(5); conditions such as `[NOTFOUND=return]` are left out of account, as in Go. */
export function parseHostSources(text: string): HostSources {
  const line = text.split("\n").map((each) => each.replace(/#.*$/, "")).find((each) => /^\s*hosts\s*:/.test(each));
  const named = line?.slice(line.indexOf(":") + 1).replace(/\[[^\]]*\]/g, " ").trim().split(/\s+/) ?? [];
  const order = named.filter((source) => source === "files" || source === "dns");
  return {
    order: order.length === 0 ? ["files", "dns"] : order,
    others: named.some((source) => source !== "files" && source !== "dns" && source !== ""),
  };
}
