import { runClient } from "./go_client.ts";
import { goTest, hasGo, scenariosOf } from "./go_peers.ts";
import { runtimeHttp2, startTopology } from "./topology.ts";

for (const [transport, kind] of [["a Unix socket", "grpc-uds"], ["mutual TLS", "grpc-tls"]] as const) {
  goTest(`the Go client over ${transport} goes back and forth 15,000 times, as fast as it can`, async () => {
    await using topology = await startTopology(kind);
    await runClient(topology, "conversation");
  });
}

for (const scenario of hasGo ? await scenariosOf("client") : []) {
  goTest(`the Go client over the runtime's HTTP/2: ${scenario}`, async () => {
    await using topology = await startTopology("grpc-uds", { serverFlags: runtimeHttp2 });
    await runClient(topology, scenario);
  });
}
