import { leakTest } from "../support/assert/leak_free.ts";
import { outlivesHosts, type Way } from "./hosts_of_no_url.ts";

for (
  const way of [
    ["own HTTP/2", "grpc-tls", []],
    ["the runtime's HTTP/2", "grpc-uds", ["--http2=runtime"]],
    ["HTTP CONNECT", "connect-uds", []],
  ] as const satisfies readonly Way[]
) {
  leakTest(`${way[0]}: a host that makes no URL ends no process, at any port`, () => outlivesHosts(way));
}
