import { leakTest } from "../support/assert/leak_free.ts";
import { vanish } from "./neighbours.ts";
import { runtimeHttp2, sharedTopology } from "./topology.ts";

const grpc = sharedTopology("grpc-uds");
const grpcTls = sharedTopology("grpc-tls");

/** How many peers vanish; over TLS fewer, whose handshakes would take most of the time. */
const vanishing = {
  "own HTTP/2 over a Unix socket": [grpc, 1_000],
  "own HTTP/2 over mutual TLS": [grpcTls, 300],
  "the runtime's HTTP/2 over a Unix socket": [sharedTopology("grpc-uds", { serverFlags: runtimeHttp2 }), 1_000],
  "the runtime's HTTP/2 over mutual TLS": [sharedTopology("grpc-tls", { serverFlags: runtimeHttp2 }), 300],
} as const;

for (const [http2, [topologyOf, times]] of Object.entries(vanishing)) {
  leakTest(
    `${http2}: peers that vanish in the middle of anything, ${times} times over, harm nobody else`,
    () => vanish(topologyOf(), times),
  );
}
