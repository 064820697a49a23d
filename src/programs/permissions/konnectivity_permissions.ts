import { formatHostPort, hostPortOf } from "../../wire/destination/host_port.ts";
import type { KonnectivityCommand } from "../konnectivity/konnectivity_flags.ts";
import { styleVariables } from "../konnectivity/text_style.ts";
import type { Permissions } from "./permissions.ts";

/** konnectivity: each subcommand reaches what its command line names, and nothing else. */
export function konnectivityPermissions(command: KonnectivityCommand): Permissions {
  switch (command.kind) {
    case "status":
      return { net: command.options.admin.map(netEntry), read: [], write: [], env: styleVariables, sys: [] };
  }
}

/** The runtime resolves a name by itself, where its entry is the name. */
function netEntry(admin: URL): string {
  const { host, port } = hostPortOf(admin);
  return formatHostPort(host, port);
}
