import assert from "node:assert/strict";
import { ManifestError, type PlannedProgram, plannedPrograms } from "./manifest.ts";
import { quantity } from "./pod_facts.ts";
import { programCommand, roleOfImage } from "./program_command.ts";
import { shellWords } from "./shell_words.ts";

function only(text: string): PlannedProgram {
  const [program, ...others] = plannedPrograms(text, "file");
  assert.deepEqual(others, []);
  return program ?? assert.fail("no program");
}

Deno.test("a command line is split as a shell splits it, up to what is no word of the program", () => {
  assert.deepEqual(shellWords(`/proxy-server --a="b c" '--d=$e' f\\ g # rest`), [
    "/proxy-server",
    "--a=b c",
    "--d=$e",
    "f g",
  ]);
  assert.deepEqual(shellWords("p --a \\\n  --b 1>>/var/log/p.log 2>&1"), ["p", "--a", "--b"]);
  assert.deepEqual(shellWords(`p --x="\\"y\\"" --y='a\\b'`), ["p", '--x="y"', "--y=a\\b"]);
  assert.deepEqual(shellWords(`p "never closed`), ["p", "never closed"]);
  assert.deepEqual(shellWords("  "), []);
});

Deno.test("the program is found behind folders, wrappers and shells, by the names that distributions give it", () => {
  const role = (...words: string[]) => {
    const found = programCommand(words);
    return found === undefined ? undefined : [found.role, ...found.flags];
  };
  assert.deepEqual(role("/usr/bin/proxy-server", "--a"), ["server", "--a"]);
  assert.deepEqual(role("konnectivity-agent"), ["agent"]);
  assert.deepEqual(role("tini", "--", "/proxy-agent", "--a"), ["agent", "--a"]);
  assert.deepEqual(role("/bin/sh", "-c", "exec /proxy-server --a=b 1>>/log 2>&1"), ["server", "--a=b"]);
  assert.deepEqual(role("/bin/sh", "-c", "set -e\n/proxy-server \\\n --a \\\n --b"), ["server", "--a", "--b"]);
  assert.deepEqual(role("/bin/sh", "-c", "/proxy-server \\\n\n  --a\nproxy-agent --b"), ["server", "--a"]);
  assert.equal(role("/bin/sh", "-c"), undefined);
  assert.equal(role("/bin/nginx", "--a"), undefined);
  assert.equal(role(), undefined);
  assert.equal(roleOfImage("registry.k8s.io/kas-network-proxy/proxy-agent:v0.1.2@sha256:00"), "agent");
  assert.equal(roleOfImage("localhost:5000/proxy-server"), "server");
  assert.equal(roleOfImage("nginx:1"), undefined);
});

const deployment = `
apiVersion: v1
kind: ConfigMap
metadata: { name: konnectivity }
data: { host: konnectivity.example }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: agent, namespace: kube-system }
spec:
  template:
    spec:
      hostNetwork: true
      containers:
        - name: other
          image: nginx
        - name: agent
          image: registry.k8s.io/kas-network-proxy/proxy-agent:v0.1.2
          args: ["--proxy-server-host=$(HOST)", "--proxy-server-port=$(PORT)", "--agent-identifiers=ipv4=$(IP)", "--a=$$(X)"]
          env:
            - { name: HOST, valueFrom: { configMapKeyRef: { name: konnectivity, key: host } } }
            - { name: PORT, valueFrom: { secretKeyRef: { name: s, key: port } } }
            - { name: IP, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
          volumeMounts: [{ name: pki, mountPath: /etc/pki/ }, { name: one, mountPath: /etc/pki/one.crt, subPath: b.crt }]
          resources: { limits: { memory: 64Mi } }
      volumes: [{ name: pki, secret: { secretName: pki } }, { name: one, hostPath: { path: /node/ } }]
`;

Deno.test("a manifest gives each program its flags, with what variables stand for", () => {
  const { role, flags, label, pod } = only(deployment);
  assert.equal(role, "agent");
  assert.equal(label, "Deployment kube-system/agent");
  assert.deepEqual(flags, [
    "--proxy-server-host=konnectivity.example",
    "--agent-identifiers=ipv4=192.0.2.1",
    "--a=$(X)",
  ]);
  assert.deepEqual(pod?.unknownFlags, ["--proxy-server-port"]);
  assert.deepEqual(pod.undefinedVariables, []);
  assert.equal(pod.label, "Deployment kube-system/agent, container agent");
  assert.equal(pod.hostNetwork, true);
  assert.equal(pod.memoryLimit, 64 * 1024 * 1024);
  assert.deepEqual(pod.mounted("/etc/pki/ca.crt"), { kind: "volume", volume: "pki", what: "secret" });
  assert.deepEqual(pod.mounted("/etc/pki/one.crt"), { kind: "host", path: "/node/b.crt" });
  assert.deepEqual(pod.mounted("/etc/other"), { kind: "unmounted" });
});

Deno.test("every kind that makes pods is read, lists too, and JSON", () => {
  const pod = { containers: [{ name: "s", command: ["/proxy-server", "--mode=grpc"] }] };
  const kinds = [
    { kind: "Pod", spec: pod },
    ...["Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"].map((kind) => ({
      kind,
      spec: { template: { spec: pod } },
    })),
    { kind: "CronJob", spec: { jobTemplate: { spec: { template: { spec: pod } } } } },
    { kind: "List", items: [{ kind: "Pod", spec: pod }] },
  ];
  for (const each of kinds) {
    assert.deepEqual(only(JSON.stringify(each)).flags, ["--mode=grpc"], each.kind);
  }
});

Deno.test("a unit of systemd and a file with a command line are read as well", () => {
  const unit =
    `[Service]\nEnvironment="NODE=n1"\nExecStart=-/usr/local/bin/proxy-agent --ca-cert=/ca \\\n  --agent-id=x\n`;
  assert.deepEqual([only(unit).role, only(unit).flags, only(unit).env], ["agent", ["--ca-cert=/ca", "--agent-id=x"], {
    NODE: "n1",
  }]);
  const script = "#!/bin/sh\n# starts it\nexec /proxy-server \\\n  --mode=grpc \\\n  --uds-name='/a b'\n";
  assert.deepEqual(only(script).flags, ["--mode=grpc", "--uds-name=/a b"]);
});

Deno.test("a file without such a program is refused, with what it holds, and without a line of it", () => {
  const refused = (text: string, message: RegExp) =>
    assert.throws(() => plannedPrograms(text, "f.yaml"), (error) => {
      assert.ok(error instanceof ManifestError);
      assert.match(error.message, message);
      return true;
    });
  refused(
    "kind: Service\nspec: {}\n",
    /^f\.yaml holds Service, and no container that runs proxy-server or proxy-agent$/,
  );
  refused("hello\n", /^f\.yaml holds neither a Kubernetes manifest nor a command line/);
  refused("", /^f\.yaml holds neither/);
  refused("kind: Pod\n token: [secret\n", /^f\.yaml is not YAML: error at line \d+ \([A-Z_]+\)$/);
});

Deno.test("quantities of memory are read as Kubernetes writes them", () => {
  assert.deepEqual(["64Mi", "1Gi", "128974848", "129M", "1.5k", "100m", 5].map(quantity), [
    67_108_864,
    1_073_741_824,
    128_974_848,
    129_000_000,
    1_500,
    0.1,
    5,
  ]);
  assert.deepEqual([undefined, "", "64 Mi", "much"].map(quantity), [undefined, undefined, undefined, undefined]);
});

Deno.test("aliases that lead nowhere, around in a circle, or to more than anybody wrote, are no manifest", () => {
  const lists = ["a: &a [x,x,x,x,x,x,x,x,x]"];
  for (const [at, name] of [..."bcdefg"].entries()) {
    const before = `*${"abcdef"[at]}`;
    lists.push(`${name}: &${name} [${Array(9).fill(before).join()}]`);
  }
  for (const text of ["a: *nobody", "items: &a\n- kind: List\n  items: *a", lists.join("\n")]) {
    assert.throws(() => plannedPrograms(`kind: List\n${text}\n`, "file"), ManifestError, text);
  }
});

Deno.test("a variable is one that the container defines, whatever members objects have", () => {
  const { flags, pod } = only(`
kind: Pod
spec:
  containers:
    - image: proxy-agent
      args: ["--a=$(toString)", "$(__proto__)", "$(OWN)", "$(constructor)"]
      env:
        - { name: OWN, value: "$(valueOf)" }
        - { name: constructor, valueFrom: { fieldRef: { fieldPath: toString } } }
`);
  assert.deepEqual(flags, ["--a=$(toString)", "$(__proto__)", "$(valueOf)", "$(constructor)"]);
  assert.deepEqual(pod?.undefinedVariables, ["toString", "__proto__"]);
});

Deno.test("words and numbers that are objects are no reason to end", () => {
  const odd = "{ toString: 1, valueOf: 1 }";
  const { flags, pod } = only(`
kind: Pod
spec:
  containers:
    - image: proxy-agent
      args: ["--a", ${odd}, 5, null]
      resources: { limits: { memory: ${odd} } }
      ports: [{ name: p, containerPort: 80 }]
      livenessProbe: { httpGet: { port: ${odd} } }
      readinessProbe: { httpGet: { port: p } }
      startupProbe: { httpGet: { port: "81" } }
`);
  assert.deepEqual(flags, ["--a", '{"toString":1,"valueOf":1}', "5", "null"]);
  assert.equal(pod?.memoryLimit, undefined);
  assert.deepEqual(pod?.probes.map(({ port }) => port), [undefined, 80, 81]);
});

Deno.test("a megabyte of blank lines holds nothing, which is seen in one pass", () => {
  const blank = "\n".repeat(1_000_000);
  assert.throws(() => plannedPrograms(blank, "file"), ManifestError);
  assert.equal(programCommand(["sh", "-c", `${blank}x`]), undefined);
});
