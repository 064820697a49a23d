import { adoptionSteps } from "../../../../src/programs/konnectivity/adopt/run_adopt.ts";
import { ManifestError, plannedPrograms } from "../../../../src/programs/konnectivity/manifest/manifest.ts";
import { programCommand } from "../../../../src/programs/konnectivity/manifest/program_command.ts";
import { shellWords } from "../../../../src/programs/konnectivity/manifest/shell_words.ts";
import { plainFlags } from "../../../../src/programs/konnectivity/diag/plain_flags.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds, prototypeNames, textOf } from "./texts.ts";

const manifest = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec:
  template:
    spec:
      hostNetwork: true
      containers:
      - name: agent
        image: registry/proxy-agent:v0.1
        command: ["/proxy-agent"]
        args: ["--proxy-server-host=$(HOST)", "--ca-cert=/ca/ca.crt", "--sync-interval=5s"]
        env:
        - {name: HOST, value: "10.0.0.1"}
        - name: NODE
          valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
        resources: {limits: {memory: 64Mi}}
        volumeMounts: [{name: ca, mountPath: /ca/}]
        livenessProbe: {httpGet: {port: 8093, path: /healthz}}
      volumes: [{name: ca, hostPath: {path: /etc/ca}}]
`;
const server = `apiVersion: v1
kind: List
items:
- kind: ConfigMap
  metadata: {name: m}
  data: {K: v}
- kind: Pod
  metadata: {name: server}
  spec:
    containers:
    - {name: s, image: "konnectivity-server", args: ["--mode=grpc", "--server-count=2", "--old-flag", "x"], envFrom: [{configMapRef: {name: m}}]}
`;
const unit = `[Service]
Environment="HOST=10.0.0.1"
ExecStart=/usr/bin/proxy-agent --proxy-server-host=a \\
  --agent-id "one two" 2>/dev/null
`;

const seeds = [manifest, server, unit, `sh -c 'set -e; exec proxy-server --mode=http-connect # comment'\n`];
const dictionary = [
  ...prototypeNames,
  "&a ",
  "*a",
  "<<: *a",
  "kind: List\\nitems: ",
  "$(constructor)",
  "--mode=",
  "proxy-server ",
  "proxy-agent ",
  "{toString: 1, valueOf: 1}",
  "\n---\n",
  "- ",
];

/** Manifests, units and scripts, as `konnectivity check` reads them. */
export const manifests: FuzzTarget = {
  name: "manifests",
  modules: ["src/programs/konnectivity/manifest/", "src/kube/client/json_value.ts"],
  seeds,
  dictionary,
  maxBytes: 1200,
  // The library takes seconds for what is larger and no YAML.
  largeBytes: 8192,
  run(input) {
    const programs = attempt(() => plannedPrograms(textOf(input), "file"), ManifestError);
    if (programs instanceof Error) return;
    holds(programs.length > 0, () => "a file without programs is refused");
    for (const { flags, env, pod } of programs) {
      for (const flag of flags) holds(typeof flag === "string", () => "flags are text");
      for (const value of Object.values(env)) holds(typeof value === "string", () => "variables are text");
      pod?.mounted("/ca/ca.crt");
      plainFlags(flags);
    }
  },
};

/** The same, with what `konnectivity check --adopt` makes of them. */
export const adoptions: FuzzTarget = {
  name: "adoptions",
  modules: ["src/programs/konnectivity/adopt/", "src/programs/konnectivity/manifest/"],
  seeds,
  dictionary: [...dictionary, "--v=", "--unknown=1", "--agent-namespace=x", "--kubeconfig-qps=1"],
  maxBytes: 1000,
  // Each flag that there is not takes the whole command line's time.
  maxWork: (bytes) => 10_000_000 + 10_000 * bytes,
  largeBytes: 2048,
  async run(input) {
    try {
      const steps = await adoptionSteps(textOf(input), "file");
      holds(steps.some(({ kind }) => kind === "order"), () => "there is an order");
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
    }
  },
};

/** Words of shells. */
export const commandWords: FuzzTarget = {
  name: "command-words",
  modules: [
    "src/programs/konnectivity/manifest/shell_words.ts",
    "src/programs/konnectivity/manifest/program_command.ts",
  ],
  seeds: [
    'exec /usr/bin/proxy-agent --a=\'b c\' "d \\" e" f\\ g 2>&1 | tee x',
    "sh -c 'proxy-server --x; sleep 1' # y",
  ],
  run(input) {
    const text = textOf(input);
    const words = shellWords(text);
    const plain = /^[\w\- /.=]*$/.test(text);
    if (plain) holds(words.join(" ") === text.trim().replace(/ +/g, " "), () => "plain words are split at blanks");
    const command = programCommand(words);
    if (command !== undefined) holds(command.flags.length < 1 + text.length, () => "flags come from the words");
  },
};
