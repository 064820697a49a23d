import assert from "node:assert/strict";
import { goTest, hasGo, runScenario, scenariosOf } from "./go_peers.ts";
import { assertScenario, sharedTopology, type Topology } from "./topology.ts";

/** Scenarios of go/egress, and what each shows of kube-apiserver's own dialler on a tunnel of ours. */
const claims: Readonly<Record<string, string>> = {
  "http-get": "[client 6] makes HTTP requests, also over a kept connection",
  "echo": "[client 6] gets back what it sends",
  "upload": "[client 6] uploads 10 MiB, every byte in its place",
  "download": "[client 6] downloads 10 MiB, every byte in its place, and sees the end after the last",
  "refused": "[client 6] fails when the destination refuses the connection",
  "cancelled": "[client 6.3] gives up a dial that hangs when its caller does",
  "speaks-first": "[client 6] loses nothing of a destination that speaks first",
  "parallel": "[client 6] carries 50 connections at once without mixing them up",
};

/** Over HTTP CONNECT this dialler does not listen to its context once it is connected: it would wait for the agent. */
const onlyGrpc: ReadonlySet<string> = new Set(["cancelled"]);

const selections = {
  "GRPC over UDS": { shared: hasGo ? sharedTopology("grpc-uds") : undefined, protocol: "GRPC" },
  "HTTPConnect over UDS": { shared: hasGo ? sharedTopology("connect-uds") : undefined, protocol: "HTTPConnect" },
  "HTTPConnect over TCP": { shared: hasGo ? sharedTopology("connect-tls") : undefined, protocol: "HTTPConnect" },
};

for (const [selection, { shared, protocol }] of Object.entries(selections)) {
  for (const [scenario, claim] of Object.entries(claims)) {
    if (protocol !== "GRPC" && onlyGrpc.has(scenario)) continue;
    goTest(claim.replace(/^(\[.*?\] )?/, `$1kube-apiserver's dialler, ${selection}, `), async () => {
      const topology = shared?.();
      if (topology === undefined) return;
      const config = `${topology.folder}/egress.yaml`;
      await Deno.writeTextFile(config, configuration(topology, protocol));
      await assertScenario(topology, await runScenario("egress", flags(topology, protocol, config), scenario));
    });
  }
}

goTest("every scenario of kube-apiserver's dialler is run", async () => {
  assert.deepEqual(await scenariosOf("egress"), Object.keys(claims));
});

function flags({ destinations }: Topology, protocol: string, config: string): readonly string[] {
  return [
    `--config=${config}`,
    // The dialler reads the status of a refused CONNECT and never the body that tells why.
    `--refusal=${protocol === "GRPC" ? "connection refused" : "502"}`,
    `--http=${destinations.http.address}`,
    `--echo=${destinations.echo.address}`,
    `--banner=${destinations.banner.address}`,
    `--source=${destinations.source.address}`,
    `--sink=${destinations.sink.address}`,
    `--refused=${destinations.refused}`,
  ];
}

/** The file that kube-apiserver is given with --egress-selector-config-file. */
function configuration({ uds, port, certificates }: Topology, protocol: string): string {
  const transport = uds !== "" ? `      uds:\n        udsName: ${uds}\n` : `      tcp:
        url: https://127.0.0.1:${port}
        tlsConfig:
          caBundle: ${certificates.caCert}
          clientCert: ${certificates.clientCert}
          clientKey: ${certificates.clientKey}
`;
  return `apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: ${protocol}
    transport:
${transport}`;
}
