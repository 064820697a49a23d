import { runScenario } from "./go_peers.ts";
import { assertScenario, type Topology } from "./topology.ts";

/** Has the Go client play a scenario of go/client at a frontend, and fails where it does not go as it should. */
export async function runClient(topology: Topology, scenario: string): Promise<void> {
  await assertScenario(topology, await runScenario("client", clientFlags(topology), scenario));
}

function clientFlags({ uds, port, certificates, destinations }: Topology): readonly string[] {
  const proxy = uds !== "" ? [`--uds=${uds}`] : [
    `--address=127.0.0.1:${port}`,
    `--ca=${certificates.caCert}`,
    `--cert=${certificates.clientCert}`,
    `--key=${certificates.clientKey}`,
  ];
  return [
    ...proxy,
    `--echo=${destinations.echo.address}`,
    `--banner=${destinations.banner.address}`,
    `--source=${destinations.source.address}`,
    `--sink=${destinations.sink.address}`,
    `--collect=${destinations.collect.address}`,
    `--refused=${destinations.refused}`,
  ];
}
