import assert from "node:assert/strict";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { adoptionSteps, runAdopt } from "./run_adopt.ts";
import type { StepKind } from "./step.ts";

const command = [
  "/bin/sh",
  "-c",
  "exec /proxy-server --uds-name=/s --server-port=0 --cluster-cert=/c --cluster-key=/k --old 3 --server-count=3 " +
  "--xfr-channel-size=10 >>/var/log/x 2>&1",
];

function pod(container: object): string {
  return JSON.stringify({
    kind: "Pod",
    metadata: { name: "konnectivity" },
    spec: { containers: [{ name: "c", image: "registry.k8s.io/kas-network-proxy/proxy-server:v0.1.2", ...container }] },
  });
}

async function texts(text: string, kind: StepKind): Promise<string[]> {
  return (await adoptionSteps(text, "f")).filter((step) => step.kind === kind).map((step) => step.text);
}

/** Each of the texts is there, in this order. */
function assertTold(told: readonly string[], ...wanted: readonly RegExp[]): void {
  assert.equal(told.length, wanted.length, JSON.stringify(told, undefined, 2));
  for (const [at, each] of wanted.entries()) assert.match(told[at] ?? "", each);
}

Deno.test("who adopts a pod is told to edit its image, its shell, its hook, its memory and its flags", async () => {
  const manifest = pod({
    command,
    resources: { limits: { memory: "30Mi" } },
    lifecycle: { preStop: { exec: { command: ["sleep", "5"] } } },
  });
  assertTold(
    await texts(manifest, "edit"),
    /^its image is registry\.k8s\.io\/kas-network-proxy\/proxy-server:v0\.1\.2: use konnectivity\/proxy-server:v\d/,
    /^a shell starts it, and the image has none/,
    /^its preStop runs sleep, which the image does not have/,
    /^the memory limit is 30 MiB, and 40 MiB are needed/,
    /^take --old 3 out: there is no such flag$/,
    /^it refuses agents without any authentication, because CVE-2026-16242/,
  );
});

Deno.test("what differs by the flags is told: defaults that are not given, flags that do nothing", async () => {
  const told = await texts(pod({ command }), "differs");
  assert.ok(told.some((text) => text.startsWith("--keepalive-time is not set, and its default is 10s where the")));
  assert.ok(told.some((text) => text.startsWith("--xfr-channel-size is taken and does nothing: queues are bounded")));
  const given = await texts(pod({ command: ["/proxy-server", "--keepalive-time=1h"] }), "differs");
  assert.ok(!given.some((text) => text.startsWith("--keepalive-time")));
});

Deno.test("the order begins with the edited manifest, goes from one server to the others and to the agents, and has a way back", async () => {
  const agent = {
    kind: "DaemonSet",
    metadata: { name: "a" },
    spec: { template: { spec: { containers: [] as object[] } } },
  };
  agent.spec.template.spec.containers.push({ name: "a", command: ["/proxy-agent", "--ca-cert=/c"] });
  const both = `${pod({ command })}\n---\n${JSON.stringify(agent)}`;
  assertTold(
    await texts(both, "order"),
    /then run konnectivity check -f f/,
    /^keep the original's manifests/,
    /^replace one of the 3 servers first: a static pod/,
    /^replace the other servers/,
    /^replace one agent first: for DaemonSet a, set updateStrategy OnDelete/,
    /^replace the other agents/,
    /^compare for a day/,
    /^the way back is the original's image/,
  );
});

leakTest(
  "a command line that works as it is ends with 0, one to edit with 2, and a file without one with 1",
  async () => {
    const path = await Deno.makeTempFile();
    try {
      const run = async (text: string) => {
        await Deno.writeTextFile(path, text);
        const out: string[] = [];
        const style = { colour: false, unicode: false };
        const printer = { out: (line: string) => void out.push(line), err: (line: string) => void out.push(line) };
        const code = await runAdopt(path, { output: "text", quiet: false }, style, printer);
        return { code, out };
      };
      const sound = await run("/proxy-agent --ca-cert=/ca.crt --proxy-server-host=10.0.0.1\n");
      assert.equal(sound.code, 0, sound.out.join("\n"));
      assert.deepEqual(sound.out.filter((line) => line.endsWith(":")), [
        "What to edit:",
        "What differs, and needs no edit:",
        "In which order to roll out:",
      ]);
      assert.equal((await run("/proxy-agent --ca-cert=/ca.crt --probe-interval=0s\n")).code, 2);
      const none = await run("hello\n");
      assert.equal(none.code, 1);
      assert.match(none.out[0] ?? "", /^Error: .* holds neither a Kubernetes manifest nor a command line/);
    } finally {
      await Deno.remove(path);
    }
  },
);

Deno.test("each chapter that a step names is there", async () => {
  const agent = "/proxy-agent --ca-cert=/c";
  const all = [...await adoptionSteps(pod({ command, lifecycle: { preStop: { exec: { command: ["x"] } } } }), "f")];
  all.push(...await adoptionSteps(agent, "f"));
  for (const chapter of new Set(all.map((step) => step.chapter).filter((each) => each !== ""))) {
    const [file = "", anchor] = chapter.split("#");
    const text = await Deno.readTextFile(new URL(`../../../../${file}`, import.meta.url));
    const anchors = [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
      title.toLowerCase().replaceAll(/[^\w\- ]/g, "").replaceAll(" ", "-")
    );
    assert.ok(anchor === undefined || anchors.includes(anchor), chapter);
  }
});
