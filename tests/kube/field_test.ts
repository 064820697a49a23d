/** The command lines of distributions that ask the Kubernetes API, with a real one; see tests/field. */
import { agentAccount, type FieldKubeApi, serverUser } from "../field/field_api.ts";
import { distributions } from "../field/distributions.ts";
import { runFieldCases } from "../field/field_tests.ts";
import type { Cluster } from "./cluster.ts";
import { clusterTests } from "./kube_test_case.ts";

const { test } = await clusterTests();
const rbac = "rbac.authorization.k8s.io";
const leases = { apiGroups: ["coordination.k8s.io"], resources: ["leases"] };

function account(name: string): Record<string, unknown> {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace: agentAccount.namespace } };
}

function role(name: string, verbs: readonly string[]): Record<string, unknown> {
  return { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata: { name }, rules: [{ ...leases, verbs }] };
}

function binding(roleName: string, ...subjects: readonly Record<string, string>[]): Record<string, unknown> {
  return {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRoleBinding",
    metadata: { name: `field:${roleName}` },
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name: roleName },
    subjects,
  };
}

/** What distributions grant: reviews of tokens and leases to the server, reading of leases to agents. */
async function fieldApiOf(cluster: Cluster): Promise<FieldKubeApi> {
  const { namespace, name } = agentAccount;
  const server = { kind: "User", apiGroup: rbac, name: serverUser };
  const serverAccount = { kind: "ServiceAccount", namespace, name: "konnectivity-server" };
  await cluster.apply(
    account(name),
    account(serverAccount.name),
    role("field:leases", ["get", "list", "watch", "create", "update", "delete"]),
    role("field:lease-reader", ["get", "list", "watch"]),
    binding("system:auth-delegator", server, serverAccount),
    binding("field:leases", server),
    binding("field:lease-reader", { kind: "ServiceAccount", namespace, name }),
  );
  const tokens = new Map<string, Promise<string>>();
  return {
    port: cluster.port,
    ca: cluster.ca,
    bearer: await cluster.createToken(namespace, serverAccount.name, "https://kubernetes"),
    agentToken: (audience = "https://kubernetes") => {
      const token = tokens.get(audience) ?? cluster.createToken(namespace, name, audience);
      tokens.set(audience, token);
      return token;
    },
  };
}

test("what distributions run works as the corpus says, with a real kube-apiserver", async (cluster, t) => {
  await runFieldCases(t, distributions.filter(({ api }) => api !== "none"), await fieldApiOf(cluster));
});
