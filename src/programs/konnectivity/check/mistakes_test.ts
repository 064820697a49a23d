import assert from "node:assert/strict";
import { stringify } from "yaml";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { startFakeKubeApi } from "../../../../tests/support/fakes/fake_kube_api.ts";
import { apiThat, Installation } from "../../../../tests/support/in_process/installation.ts";
import { certificateMistakes } from "../../../../tests/support/mistakes/certificate_mistakes.ts";
import { audience, clusterMistakes } from "../../../../tests/support/mistakes/cluster_mistakes.ts";
import { bySocket, direct, egressMistakes } from "../../../../tests/support/mistakes/egress_mistakes.ts";
import { agent, server } from "../../../../tests/support/mistakes/mistake.ts";
import { programMistakes } from "../../../../tests/support/mistakes/program_mistakes.ts";
import { startServer } from "../../../../tests/support/processes/processes.ts";
import { chapterOf, checkNames, type Finding } from "./finding.ts";

const mistakes = [...programMistakes, ...certificateMistakes, ...clusterMistakes, ...egressMistakes];

for (const { what, check, outcome = "failed", text, made } of mistakes) {
  leakTest(`a check tells ${what}`, async () => {
    await using here = await Installation.make();
    const findings = await made(here);
    const told = findings.filter((each) => each.check === check && each.outcome === outcome && text.test(each.text));
    assert.ok(told.length > 0, JSON.stringify(findings, undefined, 2));
  });
}

Deno.test("at least 25 mistakes are told, and some by each check; each check has its chapter", async () => {
  assert.ok(mistakes.length >= 25, String(mistakes.length));
  assert.deepEqual([...new Set(mistakes.map(({ check }) => check))].sort(), [...checkNames].sort());
  const text = await Deno.readTextFile(new URL("../../../../docs/checks.md", import.meta.url));
  for (const check of checkNames) {
    assert.equal(chapterOf({ check }), `docs/checks.md#${check}`);
    assert.match(text, new RegExp(`^## ${check}$`, "im"));
  }
});

leakTest(
  "a sound installation is told to be sound: a server, its agent, their API and kube-apiserver's side",
  async () => {
    await using here = await Installation.make();
    await using api = await startFakeKubeApi();
    api.handle = apiThat();
    const selector = await here.write(
      "egress.yaml",
      stringify({
        apiVersion: "apiserver.k8s.io/v1beta1",
        kind: "EgressSelectorConfiguration",
        egressSelections: [bySocket(here), direct, { ...direct, name: "etcd" }],
      }),
    );
    here.server["enable-lease-controller"] = "true";
    here.server["kubeconfig"] = await here.kubeconfig(api);
    here.agent["count-server-leases"] = "true";
    here.agent["kubeconfig"] = here.server["kubeconfig"];
    here.agent["service-account-token-path"] = await here.token({
      aud: [audience],
      exp: Math.floor(Date.now() / 1000) + 3_600,
      sub: "system:serviceaccount:kube-system:konnectivity-agent",
    });
    const sound = (findings: readonly Finding[]) =>
      assert.deepEqual(findings.filter(({ outcome }) => outcome !== "ok"), []);
    const hosts = ["--server-host=localhost", "--server-host=127.0.0.1,::1"];
    sound(await server(here, "--egress-selector", selector, ...hosts));
    const flags = here.flagsOf("server").filter((flag) => !/^--(?:enable-lease|kubeconfig)/.test(flag));
    await using _server = await startServer(flags);
    sound(await agent(here, `--audience=${audience}`));
    const files = await here.check("-f", await here.manifest(here.pod("server"), here.pod("agent")), ...hosts);
    assert.deepEqual(files.filter(({ outcome }) => outcome === "failed" || outcome === "warning"), []);
    assert.deepEqual(
      [...new Set(files.filter(({ outcome }) => outcome === "skipped").map(({ check }) => check))].sort(),
      ["descriptors", "kubernetes", "reach"],
      "what a pod will have cannot be seen from here",
    );
  },
);
