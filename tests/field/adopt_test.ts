import assert from "node:assert/strict";
import { adoptionSteps } from "../../src/programs/konnectivity/adopt/run_adopt.ts";
import type { Step } from "../../src/programs/konnectivity/adopt/step.ts";
import { distributions } from "./distributions.ts";
import type { FieldProgram } from "./field_case.ts";

/** The manifest that a distribution has of a program, as far as the corpus has it. */
function manifestOf(role: "server" | "agent", { command, env = {}, memoryLimitMi, files }: FieldProgram): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: role },
    spec: {
      containers: [{
        name: role,
        image: `registry.k8s.io/kas-network-proxy/proxy-${role}:v0.34.0`,
        command,
        env: Object.entries(env).map(([name, value]) => ({ name, value })),
        volumeMounts: Object.keys(files).map((mountPath) => ({ name: "files", mountPath })),
        ...(memoryLimitMi === undefined ? {} : { resources: { limits: { memory: `${memoryLimitMi}Mi` } } }),
      }],
      volumes: [{ name: "files", hostPath: { path: "/files" } }],
    },
  });
}

/** Steps that are there for every program. */
function isUsual({ text }: Step): boolean {
  return text.startsWith("its image is ") || /memory limit/.test(text);
}

for (const { distribution, server, agent, refusal, edit } of distributions) {
  Deno.test(`${distribution}: whoever takes it over is told to edit what its run has shown, and no more`, async () => {
    for (const [role, program] of [["server", server], ["agent", agent]] as const) {
      const steps = await adoptionSteps(manifestOf(role, program), "f.yaml");
      const edits = steps.filter(({ kind }) => kind === "edit");
      const what = `${role}: ${JSON.stringify(edits, undefined, 1)}; the document says: ${edit ?? "nothing"}`;
      const unusual = edits.filter((step) => !isUsual(step));
      // Of what makes a program end later, such as a port that is taken, the flags say nothing.
      const refused = refusal?.of === role && unusual.length > 0;
      if (refused) assert.match(unusual[0]?.text ?? "", /refuse|take .* out/, what);
      // Where the original refuses one of the two, nobody has said that the other one works.
      else if (refusal?.original !== "refuses") assert.deepEqual(unusual, [], what);
      if (refused && refusal.original === "runs") assert.equal(unusual.length, 1, what);
      const small = program.memoryLimitMi !== undefined && program.memoryLimitMi < 64;
      assert.equal(edits.some(({ text }) => /memory limit/.test(text)), small, what);
      assert.ok(steps.some(({ kind }) => kind === "differs"), what);
      assert.match(steps.at(-1)?.text ?? "", /^the way back is/);
    }
  });
}

Deno.test("the distribution that ran without authentication of agents is told so", async () => {
  const [unguarded] = distributions.filter(({ refusal }) =>
    refusal?.says.startsWith("agents would not be authenticated")
  );
  assert.ok(unguarded !== undefined);
  const steps = await adoptionSteps(manifestOf("server", unguarded.server), "f.yaml");
  const told = steps.find(({ text }) => text.startsWith("it refuses agents without any authentication"));
  assert.match(told?.text ?? "", /CVE-2026-16242 .* instead: `--cluster-ca-cert`/);
});
