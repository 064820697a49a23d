import { runClient } from "./go_client.ts";
import { goTest } from "./go_peers.ts";
import { runtimeHttp2, startTopology } from "./topology.ts";

const frontends = [
  ["mutual TLS", "grpc-tls", []],
  ["the runtime's HTTP/2", "grpc-uds", runtimeHttp2],
] as const;

for (const [transport, kind, serverFlags] of frontends) {
  goTest(`the Go client over ${transport} goes back and forth 15,000 times, as fast as it can`, async () => {
    await using topology = await startTopology(kind, { serverFlags });
    await runClient(topology, "conversation");
  });
}
