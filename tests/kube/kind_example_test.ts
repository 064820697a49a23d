import assert from "node:assert/strict";
import { listMember, memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { containersOf, examples, parseManifests } from "./manifests.ts";

Deno.test("examples/kind-multinode has the egress selector's configuration of examples/kind", async () => {
  const read = (folder: string) => Deno.readTextFile(`${examples}/${folder}/egress_selector_configuration.yaml`);
  assert.equal(await read("kind-multinode"), await read("kind"));
});

Deno.test("examples/kind: kind's configuration gives kube-apiserver the proxy's socket, its configuration and a name", async () => {
  checkKindConfig(await Deno.readTextFile(`${examples}/kind/kind.config`), 1, 2);
  for (const { hostPath } of mountsOf(await Deno.readTextFile(`${examples}/kind/kind.config`))) {
    await Deno.stat(`${examples}/kind/${hostPath}`);
  }
});

function mountsOf(text: string): { readonly hostPath: string }[] {
  const [config] = parseManifests(text);
  return listMember(config, "nodes").flatMap((node) =>
    listMember(node, "extraMounts").map((mount) => ({ hostPath: textMember(mount, "hostPath") }))
  );
}

function checkKindConfig(text: string, controlPlanes: number, workers: number): void {
  const [config, ...more] = parseManifests(text);
  assert.deepEqual(more, []);
  assert.equal(textMember(config, "apiVersion"), "kind.x-k8s.io/v1alpha4");
  const nodes = listMember(config, "nodes");
  assert.deepEqual(nodes.map((node) => textMember(node, "role")).sort(), [
    ...Array(controlPlanes).fill("control-plane"),
    ...Array(workers).fill("worker"),
  ]);
  for (const node of nodes.filter((each) => textMember(each, "role") === "control-plane")) {
    const patches = listMember(node, "kubeadmConfigPatches").flatMap((patch) => parseManifests(String(patch)));
    const [apiServer] = patches.map((patch) => memberOf(patch, "apiServer"));
    const file = textMember(memberOf(apiServer, "extraArgs"), "egress-selector-config-file");
    const mounts = listMember(apiServer, "extraVolumes").map((volume) => textMember(volume, "mountPath"));
    assert.deepEqual(mounts, [file, "/etc/kubernetes/konnectivity-server"]);
    assert.deepEqual(listMember(node, "extraMounts").map((mount) => textMember(mount, "containerPath")), [file]);
    const [names] = listMember(node, "kubeadmConfigPatchesJSON6902");
    assert.match(textMember(names, "patch"), /konnectivity-server\.kube-system\.svc\.cluster\.local/);
  }
}

/** Runs a copy of the quick start with stand-ins for kind and kubectl that write down how they were called. */
async function quickstart(
  ...flags: string[]
): Promise<{ code: number; stderr: string; calls: string[]; folder: string }> {
  const folder = await Deno.makeTempDir();
  await new Deno.Command("cp", { args: ["-r", `${examples}/kind-multinode/.`, folder] }).output();
  await Deno.remove(`${folder}/rendered`, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${folder}/bin`);
  for (const tool of ["kind", "kubectl"]) {
    const script =
      `#!/bin/sh\necho ${tool} "$@" >>${folder}/calls\n[ "$*" = "get clusters" ] && echo knp-test-cluster\nexit 0\n`;
    await Deno.writeTextFile(`${folder}/bin/${tool}`, script, { mode: 0o755 });
  }
  const { code, stderr } = await new Deno.Command("bash", {
    args: [`${folder}/quickstart-kind.sh`, ...flags],
    env: { PATH: `${folder}/bin:${Deno.env.get("PATH") ?? ""}` },
  }).output();
  const calls = await Deno.readTextFile(`${folder}/calls`).catch(() => "");
  return { code, stderr: new TextDecoder().decode(stderr), calls: calls.trim().split("\n"), folder };
}

Deno.test("examples/kind-multinode: the quick start makes as many nodes as asked for and has kind and kubectl do the rest", async () => {
  const { code, calls, folder, stderr } = await quickstart(
    "--num-kcp-nodes=3",
    "--num-worker-nodes",
    "2",
    "--overwrite-cluster",
    "--sideload-images",
    "--server-image=example.com/s:1",
    "--agent-image=example.com/a:1",
  );
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls, [
    "kind get clusters",
    "kind delete cluster --name knp-test-cluster",
    "kind create cluster --config rendered/kind.config --name knp-test-cluster",
    "kind load docker-image --name knp-test-cluster example.com/s:1",
    "kind load docker-image --name knp-test-cluster example.com/a:1",
    "kubectl --context kind-knp-test-cluster apply -f rendered/konnectivity-server.yaml",
    "kubectl --context kind-knp-test-cluster apply -f rendered/konnectivity-agent-ds.yaml",
  ]);
  checkKindConfig(await Deno.readTextFile(`${folder}/rendered/kind.config`), 3, 2);
  const images = await Promise.all(["server", "agent-ds"].map(async (name) => {
    const manifests = parseManifests(await Deno.readTextFile(`${folder}/rendered/konnectivity-${name}.yaml`));
    return manifests.flatMap(containersOf).map(({ image }) => image);
  }));
  assert.deepEqual(images, [["example.com/s:1"], ["example.com/a:1"]]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("examples/kind-multinode: a count of servers that is given takes the place of the leases", async () => {
  const { code, folder, stderr, calls } = await quickstart("--server-count-override=5", "--render-only");
  assert.equal(code, 0, stderr);
  assert.deepEqual(calls, [""]);
  const read = async (name: string) => {
    const manifests = parseManifests(await Deno.readTextFile(`${folder}/rendered/konnectivity-${name}.yaml`));
    return manifests.flatMap(containersOf).flatMap(({ args }) => args);
  };
  const server = await read("server");
  assert.ok(server.includes("--server-count=5") && !server.includes("--enable-lease-controller"));
  assert.ok(!(await read("agent-ds")).includes("--count-server-leases"));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("examples/kind-multinode: flags that are wrong are refused", async () => {
  for (const flags of [["--num-kcp-nodes=0"], ["--num-worker-nodes", "x"], ["--cluster-name"], ["--what"]]) {
    const { code, stderr, folder } = await quickstart(...flags);
    assert.equal(code, 2);
    assert.match(stderr, /^quickstart-kind\.sh: /);
    await Deno.remove(folder, { recursive: true });
  }
});
