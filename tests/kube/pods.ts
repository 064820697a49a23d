import assert from "node:assert/strict";
import { listMember, memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { httpGet, Program } from "../support/processes/processes.ts";
import { until } from "../support/assert/until.ts";
import type { Cluster } from "./cluster.ts";
import type { ControlPlane } from "./control_plane.ts";
import { type Container, containersOf, type Manifest } from "./manifests.ts";

/** Where a container's program runs, and who it is. */
export interface PodPlace {
  readonly cluster: Cluster;
  readonly node: ControlPlane;
  readonly namespace: string;
  /** The pod's own. */
  readonly name: string;
  /** Folder of the launchers, as `deno task build` makes them and images have them. */
  readonly programs: string;
}

/** A program that runs as a manifest has it. */
export interface RunningPod extends AsyncDisposable {
  readonly program: Program;
  /** What its probe of that kind gets, now. 0: no answer. */
  probe(kind: "livenessProbe" | "readinessProbe"): Promise<number>;
  /** What it holds, held at most, should hold when idle and may hold. */
  memory(): Promise<PodMemory>;
}

/** Memory in MiB. */
export interface PodMemory {
  readonly now: number;
  readonly peak: number;
  readonly request: number;
  readonly limit: number;
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
    [...inside, `${place.programs}${container.program}`, ...args],
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
    async memory() {
      const status = await Deno.readTextFile(`/proc/${program.pid}/status`);
      const held = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) / 1024;
      const resources = memberOf(container.value, "resources");
      const bound = (kind: string) => mebibytes(textMember(memberOf(resources, kind), "memory"));
      return { now: held("VmRSS"), peak: held("VmHWM"), request: bound("requests"), limit: bound("limits") };
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function mebibytes(text: string): number {
  const [, digits = "", unit = ""] = /^(\d+)([MG])i$/.exec(text) ?? assert.fail(`no amount of memory: ${text}`);
  return Number(digits) * (unit === "G" ? 1024 : 1);
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
  if (memberOf(podSpec, "automountServiceAccountToken") !== false) {
    const own = "kubernetes.io/serviceaccount";
    secrets[`${own}/token`] = await cluster.createToken(namespace, account, "https://kubernetes");
    secrets[`${own}/ca.crt`] = cluster.ca.certPem;
    secrets[`${own}/namespace`] = namespace;
  }
  for (const volume of listMember(podSpec, "volumes")) {
    for (const source of listMember(memberOf(volume, "projected"), "sources")) {
      const token = memberOf(source, "serviceAccountToken");
      const map = memberOf(source, "configMap");
      const mount = listMember(value, "volumeMounts").find((each) =>
        textMember(each, "name") === textMember(volume, "name")
      );
      const folder = textMember(mount, "mountPath").replace("/var/run/secrets/", "");
      if (map !== undefined) {
        // kube-controller-manager keeps it in every namespace.
        assert.equal(textMember(map, "name"), "kube-root-ca.crt");
        for (const item of listMember(map, "items")) {
          assert.equal(textMember(item, "key"), "ca.crt");
          secrets[`${folder}/${textMember(item, "path")}`] = cluster.ca.certPem;
        }
        continue;
      }
      secrets[`${folder}/${textMember(token, "path")}`] = await cluster.createToken(
        namespace,
        account,
        textMember(token, "audience"),
      );
    }
  }
  return secrets;
}
