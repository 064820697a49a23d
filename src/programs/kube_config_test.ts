import assert from "node:assert/strict";
import { kubeAccess, KubeConfigError } from "./kube_config.ts";
import { systemClock } from "../runtime/system_clock.ts";

async function refusal(kubeconfig: string): Promise<string> {
  const error = await kubeAccess(kubeconfig, systemClock).then(() => assert.fail("it was taken"), (reason) => reason);
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
