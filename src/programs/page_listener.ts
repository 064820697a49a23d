import type { ListenerStatus } from "../ops/status/program_status.ts";
import { formatHostPort } from "../wire/destination/host_port.ts";

/** The entry of a port for operators, where it is open. */
export function pageListener(name: "health" | "admin", host: string, port: number | undefined): ListenerStatus[] {
  return port === undefined ? [] : [{ name, address: formatHostPort(host, port), protocol: "http", tls: false }];
}
