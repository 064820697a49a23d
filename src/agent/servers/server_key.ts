import { getLogger } from "@logtape/logtape";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import type { OpenedLink } from "./open_link.ts";
import type { ServerConnection } from "./server_connection.ts";
import type { Route } from "./server_routes.ts";

const log = getLogger(["agent", "servers"]);

/**
 * The key of a server in the set: its id. A server may have the id of another, by mistake or on purpose; then neither link
 * is a duplicate of the other. It is another server where both its address and the names in its certificate differ, and its
 * key has the address, too. (Renewed certificates have the old names, and one server may have
 * several addresses.)
 */
export function serverKey(linked: Iterable<ServerConnection>, route: Route, opened: OpenedLink): string {
  const { serverId, connection: { serverNames } } = opened;
  const claimants = [...linked].filter(({ link }) => link.server.serverId === serverId);
  const same = claimants.find((connection) => connection.isSame(route, serverNames));
  if (same !== undefined) return same.key;
  const [other] = claimants;
  if (other === undefined) return serverId;
  const address = addressOf(route);
  log.warn(
    "server at {address} has the id {serverId} of the one at {other}, and its certificate has other names: it is taken as " +
      "another server; give each server an id of its own (--server-id)",
    { address, serverId, other: addressOf(other.route), names: serverNames },
  );
  return `${serverId}@${address}`;
}

/** A route's address, for logs. */
export function addressOf({ target: { host, port } }: Route): string {
  return formatHostPort(host, port);
}
