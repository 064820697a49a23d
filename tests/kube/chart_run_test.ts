import assert from "node:assert/strict";
import { connect } from "../../src/client/mod.ts";
import { issueAuthority, issueLeaf } from "../../src/programs/certs/issue.ts";
import { Conversation } from "../support/in_process/conversation.ts";
import { echoDestination } from "../support/in_process/destinations.ts";
import { builtProject } from "../support/processes/built_project.ts";
import { takeFixedPorts } from "../support/processes/fixed_ports.ts";
import { inFolder, renderChart } from "./chart.ts";
import { Cluster } from "./cluster.ts";
import { ControlPlane } from "./control_plane.ts";
import { whyNoMount } from "./image.ts";
import { kubeTest, skippedTest } from "./kube_test_case.ts";
import { kindOf, type Manifest } from "./manifests.ts";
import { type RunningPod, runPod, untilProbed } from "./pods.ts";
import { findTool, type Tool } from "./tools.ts";

/** What the chart's servers and agents listen on. */
const ports = [8090, 8091, 8092, 8093, 8094, 8095];
const serverName = "konnectivity.example.com";
const namespace = "kube-system";

function deploymentOf(manifests: readonly Manifest[]): Manifest {
  return manifests.find((manifest) => kindOf(manifest) === "Deployment") ?? assert.fail("there is no Deployment");
}

/** Runs the Deployment of what a chart renders, on a node that has its files. */
async function run(
  cluster: Cluster,
  node: ControlPlane,
  manifests: readonly Manifest[],
  name: string,
  files: Readonly<Record<string, string>>,
): Promise<RunningPod> {
  for (const [path, text] of Object.entries(files)) await node.write(`/etc/konnectivity/${path}`, text);
  await cluster.apply(...manifests);
  const programs = `${await builtProject()}/bin`;
  const pod = await runPod(deploymentOf(manifests), { cluster, node, namespace, name, programs });
  await untilProbed(pod, "livenessProbe");
  return pod;
}

async function hosted(helm: Tool, cluster: Cluster): Promise<void> {
  using _ports = await takeFixedPorts(ports);
  await using echo = await echoDestination();
  const ca = await issueAuthority({ commonName: "agents", keyKind: "p-256" });
  const clients = await issueAuthority({ commonName: "clients", keyKind: "p-256" });
  const server = await issueLeaf(ca, {
    commonName: "server",
    usages: ["server"],
    names: [serverName],
    keyKind: "p-256",
  });
  const frontend = await issueLeaf(clients, {
    commonName: "frontend",
    usages: ["server"],
    addresses: ["127.0.0.1"],
    keyKind: "p-256",
  });
  const agent = await issueLeaf(ca, { commonName: "agent", usages: ["client"], keyKind: "p-256" });
  const client = await issueLeaf(clients, { commonName: "kube-apiserver", usages: ["client"], keyKind: "p-256" });
  // Two nodes, as far as their files go: both programs have a certificate under one path.
  await using control = await ControlPlane.open({});
  await using worker = await ControlPlane.open({ [serverName]: "127.0.0.1" });
  await using running = new AsyncDisposableStack();
  const servers = await renderChart(helm, ...inFolder("hosted-control-plane.yaml"));
  running.use(
    await run(cluster, control, servers, "server-1", {
      "certificate/tls.crt": server.certPem,
      "certificate/tls.key": server.keyPem,
      "certificate/ca.crt": ca.certPem,
      "frontend/tls.crt": frontend.certPem,
      "frontend/tls.key": frontend.keyPem,
      "frontend/ca.crt": clients.certPem,
    }),
  );
  const where = [`--set=agent.serverHost=${serverName}`, "--set=agent.serverPort=8091"];
  const agents = await renderChart(helm, ...inFolder("hosted-agents.yaml"), ...where);
  const agentPod = running.use(
    await run(cluster, worker, agents, "agent-1", {
      "server-ca/ca.crt": ca.certPem,
      "certificate/tls.crt": agent.certPem,
      "certificate/tls.key": agent.keyPem,
    }),
  );
  await untilProbed(agentPod, "readinessProbe");
  const tls = { ca: clients.certPem, cert: client.certPem, key: client.keyPem };
  await using proxy = await connect({ mode: "http-connect", transport: "tls", host: "127.0.0.1", port: 8090, tls });
  const conversation = new Conversation(await proxy.dial(echo.address));
  assert.equal(await conversation.ask("through the chart"), "through the chart");
  await conversation.tunnel.close();
}

const title =
  "the chart's servers in pods and agents with certificates run as they are rendered, and a client with mutual TLS " +
  "comes through them";
const helm = await findTool("helm");
const why = await whyNoMount() ?? (helm.kind === "missing" ? helm.why : undefined);
if (why !== undefined || helm.kind === "missing") skippedTest(title, why ?? "");
else {
  await kubeTest(title, async (binaries) => {
    await using cluster = await Cluster.start(binaries);
    await hosted(helm.tool, cluster);
  });
}
