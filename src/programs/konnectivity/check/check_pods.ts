import { portsOf } from "./check_listeners.ts";
import { type Finding, Findings } from "./finding.ts";
import { filesOf, type Part } from "./part.ts";
import type { PodFacts } from "../manifest/pod_facts.ts";

/** What a manifest says around the command: volumes, variables, probes, and the time to end. */
export function checkPods(parts: readonly Part[]): readonly Finding[] {
  const findings = new Findings("pod");
  for (const part of parts) {
    if (part.pod === undefined) continue;
    const before = findings.list.length;
    checkVariables(part.pod, findings);
    checkUnknown(part.pod, findings);
    checkMounts(part, part.pod, findings);
    checkProbes(part, part.pod, findings);
    checkGrace(part, part.pod, findings);
    if (findings.list.length === before) findings.ok(part.label, "volumes, probes and the time to end fit the flags");
  }
  return findings.list;
}

function checkVariables({ label, undefinedVariables }: PodFacts, findings: Findings): void {
  for (const name of undefinedVariables) {
    findings.fail(
      label,
      `its command has $(${name}), which its env does not define: the program gets these very signs; define it`,
    );
  }
}

function checkUnknown({ label, unknownFlags }: PodFacts, findings: Findings): void {
  if (unknownFlags.length === 0) return;
  findings.skip(
    label,
    `${unknownFlags.join(", ")}: the value comes from what is not in the file, and is not looked at`,
  );
}

function checkMounts(part: Part, pod: PodFacts, findings: Findings): void {
  const files = new Map(filesOf(part));
  if (part.role === "server" && part.options.udsName !== "") files.set("uds-name", part.options.udsName);
  for (const [flag, path] of files) {
    // A kubelet mounts a pod's own token there, whatever the manifest says.
    if (path.startsWith("/var/run/secrets/kubernetes.io/serviceaccount/")) continue;
    const file = pod.mounted(path);
    if (file.kind === "unmounted") {
      findings.fail(pod.label, `--${flag} is ${path}, and no volume is mounted there: mount the one that has it`);
    } else if (file.kind === "volume" && file.what === "missing") {
      findings.fail(
        pod.label,
        `--${flag} is ${path} in the volume ${file.volume}, which the pod does not have: add it`,
      );
    } else if (file.kind === "volume" && file.what === "emptyDir" && flag !== "uds-name") {
      findings.fail(
        pod.label,
        `--${flag} is ${path} in the volume ${file.volume}, which is empty: use a secret, or a folder of the node`,
      );
    } else if (file.kind === "volume" && file.what === "emptyDir") {
      findings.warn(
        pod.label,
        `--${flag} is ${path} in the volume ${file.volume}, which belongs to this pod: only a kube-apiserver of the same pod reaches it`,
      );
    }
  }
}

const pages: ReadonlySet<string> = new Set(["/healthz", "/readyz", "/livez", "/ready", "/metrics"]);

function checkProbes(part: Part, { label, probes }: PodFacts, findings: Findings): void {
  const [health] = portsOf(part).filter(({ flag }) => flag.startsWith("--health"));
  if (health === undefined) return;
  for (const { name, port, path } of probes) {
    if (port === undefined) findings.fail(label, `its ${name} names a port that the container does not have`);
    else if (port !== health.port) {
      findings.fail(
        label,
        `its ${name} asks port ${port}, and ${health.flag} is ${health.port}: the kubelet would restart it for ever`,
      );
    } else if (!pages.has(path)) findings.fail(label, `its ${name} asks for ${path || "/"}: use /healthz or /readyz`);
    else if (name === "livenessProbe" && path.startsWith("/ready")) {
      findings.warn(label, `its ${name} asks for ${path}: without a peer it would be restarted for ever; use /healthz`);
    }
    if (health.host === "127.0.0.1" || health.host === "localhost" || health.host === "::1") {
      findings.warn(label, `its ${name} comes from outside of the pod, and health is served on ${health.host} alone`);
    }
  }
}

function checkGrace(part: Part, { label, graceSeconds }: PodFacts, findings: Findings): void {
  const { flag, ms } = part.role === "server"
    ? { flag: "--graceful-shutdown-timeout", ms: part.options.gracefulShutdownTimeoutMs }
    : { flag: "--drain-timeout", ms: part.options.drainTimeoutMs };
  if (ms / 1000 < graceSeconds) return;
  findings.warn(
    label,
    `${flag} is ${
      ms / 1000
    } s, and the pod is killed after ${graceSeconds} s: set terminationGracePeriodSeconds above it`,
  );
}
