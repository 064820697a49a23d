import assert from "node:assert/strict";
import { listMember, memberOf, textMember } from "../../src/kube/json_value.ts";
import { httpGet, launcherOf, Program } from "../support/processes.ts";
import { until } from "../support/until.ts";
import type { Cluster } from "./cluster.ts";
import type { ControlPlane } from "./control_plane.ts";
import { type Container, containersOf, type Manifest } from "./manifests.ts";

const roles: Readonly<Record<string, string>> = {
  "/proxy-server": "server",
  "/proxy-agent": "agent",
  "/proxy-test-client": "test-client",
  "/http-test-server": "test-server",
};

/** Where a container's program runs, and who it is. */
export interface PodPlace {
  readonly cluster: Cluster;
  readonly node: ControlPlane;
  readonly namespace: string;
  /** The pod's own. */
  readonly name: string;
}

/** A program that runs as a manifest has it. */
export interface RunningPod extends AsyncDisposable {
  readonly program: Program;
  /** What its probe of that kind gets, now. 0: no answer. */
  probe(kind: "livenessProbe" | "readinessProbe"): Promise<number>;
}

/**
 * Does a kubelet's work for the only container of a manifest: its program, with exactly its arguments and variables, the
 * token and authority of its service account, and the tokens that it asks for.
 */
export async function runPod(manifest: Manifest, place: PodPlace): Promise<RunningPod> {
  const [container, ...more] = containersOf(manifest);
  assert.ok(container !== undefined && more.length === 0);
  const { cluster, node } = place;
  const env = await variablesOf(container, place);
  const args = container.args.map((arg) =>
    arg.replace(/\$\((\w+)\)/g, (_, name: string) => env[name] ?? assert.fail(name))
  );
  const inside = await node.pod(await secretsOf(container, place));
  for (const volume of listMember(container.podSpec, "volumes")) {
    const hostPath = memberOf(volume, "hostPath");
    if (hostPath === undefined) continue;
    const path = textMember(hostPath, "path");
    const mounts = listMember(container.value, "volumeMounts");
    assert.ok(mounts.some((mount) => textMember(mount, "mountPath") === path), `${path} is mounted under another path`);
    const test = { Directory: `[ -d ${path} ]`, File: `[ -f ${path} ]`, DirectoryOrCreate: `mkdir -p ${path}` };
    const { code } = await node.shell(
      test[textMember(hostPath, "type") as keyof typeof test] ?? assert.fail(path),
      "/",
    );
    assert.equal(code, 0, `${path} is not there`);
  }
  const program = new Program(
    place.name,
    [...inside, ...programOf(container), ...args],
    { ...env, KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(cluster.port) },
  );
  return {
    program,
    async probe(kind) {
      const asked = memberOf(memberOf(container.value, kind), "httpGet");
      const named = listMember(container.value, "ports").find((port) =>
        textMember(port, "name") === textMember(asked, "port")
      );
      return (await httpGet(Number(memberOf(named, "containerPort")), textMember(asked, "path"))).status;
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

/** Waits for what a kubelet waits for: that the probe is answered well. */
export async function untilProbed(pod: RunningPod, kind: "livenessProbe" | "readinessProbe"): Promise<void> {
  await until(`the ${kind} of ${pod.program.name} is answered`, async () => {
    if (pod.program.status !== undefined) throw new Error(`it ended\n${pod.program.tail()}`);
    return await pod.probe(kind) === 200;
  }).catch((error) => {
    throw new Error(`${error.message}\n${pod.program.tail()}`);
  });
}

function programOf({ program }: Container): readonly string[] {
  const [shell = "", launcher = ""] = launcherOf("server");
  return [shell, launcher, roles[program] ?? assert.fail(program)];
}

async function variablesOf(
  { value }: Container,
  { cluster, namespace, name }: PodPlace,
): Promise<Record<string, string>> {
  const fields: Readonly<Record<string, string>> = {
    "metadata.name": name,
    "status.hostIP": "127.0.0.1",
    "spec.nodeName": "n1",
  };
  const variables: Record<string, string> = {};
  for (const entry of listMember(value, "env")) {
    const from = memberOf(entry, "valueFrom");
    const field = textMember(memberOf(from, "fieldRef"), "fieldPath");
    const map = memberOf(from, "configMapKeyRef");
    variables[textMember(entry, "name")] = map === undefined
      ? fields[field] ?? assert.fail(`unknown field ${field}`)
      : await cluster.kubectlText(
        "get",
        "configmap",
        textMember(map, "name"),
        `-n=${namespace}`,
        `-o=jsonpath={.data.${textMember(map, "key")}}`,
      );
  }
  return variables;
}

async function secretsOf({ value, podSpec }: Container, place: PodPlace): Promise<Record<string, string>> {
  const { cluster, namespace } = place;
  const account = textMember(podSpec, "serviceAccountName");
  const secrets: Record<string, string> = {};
  if (account === "") return secrets;
  const own = "kubernetes.io/serviceaccount";
  secrets[`${own}/token`] = await cluster.createToken(namespace, account, "https://kubernetes");
  secrets[`${own}/ca.crt`] = cluster.ca.certPem;
  secrets[`${own}/namespace`] = namespace;
  for (const volume of listMember(podSpec, "volumes")) {
    for (const source of listMember(memberOf(volume, "projected"), "sources")) {
      const token = memberOf(source, "serviceAccountToken");
      const mount = listMember(value, "volumeMounts").find((each) =>
        textMember(each, "name") === textMember(volume, "name")
      );
      const folder = textMember(mount, "mountPath").replace("/var/run/secrets/", "");
      secrets[`${folder}/${textMember(token, "path")}`] = await cluster.createToken(
        namespace,
        account,
        textMember(token, "audience"),
      );
    }
  }
  return secrets;
}
