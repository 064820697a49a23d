import assert from "node:assert/strict";
import { kubeAccessOf } from "./kube_access.ts";
import { kubeAccess, KubeConfigError } from "./kube_config.ts";

async function refusal(kubeconfig: string): Promise<string> {
  const error = await kubeAccess(kubeconfig).then(() => assert.fail("it was taken"), (reason) => reason);
  assert.ok(error instanceof KubeConfigError);
  return error.message;
}

Deno.test("[server 12] [agent 3.4] a kubeconfig that cannot be used is told in the original's words, with the cause", async () => {
  const path = await Deno.makeTempFile();
  await Deno.writeTextFile(path, "current-context: c");
  assert.equal(await refusal(path), `failed to load kubernetes client config: ${path}: has no context "c"`);
  await Deno.remove(path);
  assert.match(await refusal(path), /^failed to load kubernetes client config: cannot read kubeconfig /);
});

Deno.test("[agent 3.4] outside of a pod and without a kubeconfig there is no way to the API", async () => {
  assert.match(
    await refusal(""),
    /^failed to load in cluster kubernetes client config: .*KUBERNETES_SERVICE_HOST.*--kubeconfig$/,
  );
});

Deno.test("the way to the API leads through the proxy that a kubeconfig names", () => {
  const text = `clusters: [{name: c, cluster: {server: "https://api:6443", proxy-url: "http://proxy:3128"}}]`;
  const access = kubeAccessOf("/k", () => undefined, () => text);
  assert.deepEqual(access, { net: ["api:6443", "proxy:3128"], read: ["/k"], env: [] });
});
