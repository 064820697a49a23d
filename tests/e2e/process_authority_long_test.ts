import { leakTest } from "../support/assert/leak_free.ts";
import { outlivesHosts, type Way } from "./hosts_of_no_url.ts";

for (
  const way of [
    ["own HTTP/2, for strangers", "grpc-tls", ["--cluster-ca-cert=", "--allow-unauthenticated-agents"]],
    ["own HTTP/2 and workers", "grpc-uds", ["--workers=2"]],
  ] as const satisfies readonly Way[]
) {
  leakTest(`${way[0]}: a host that makes no URL ends no process, at any port`, () => outlivesHosts(way));
}
