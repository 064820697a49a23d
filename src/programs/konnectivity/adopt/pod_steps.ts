import { checkMemory } from "../check/check_resources.ts";
import type { Part } from "../check/part.ts";
import type { PlannedProgram } from "../manifest/manifest.ts";
import { version } from "../../version.ts";
import type { Step } from "./step.ts";

/** Below this a manifest's limit leaves no reserve. */
const soundMemoryBytes = 64 * 1024 * 1024;

/** What is to be edited around the command: the image, its limits, and what its image lacks. */
export function podSteps({ role, label, pod, shell }: PlannedProgram, part: Part | undefined): readonly Step[] {
  const steps: Step[] = [];
  const subject = pod?.label ?? label;
  const edit = (text: string, chapter: string) => steps.push({ kind: "edit", subject, text, chapter });
  if (pod === undefined) {
    edit(`start bin/proxy-${role} of this project in the original's place`, "README.md#the-programs");
    return steps;
  }
  edit(
    `its image is ${
      pod.image || "not named"
    }: use konnectivity/proxy-${role}:v${version}, which is built by Containerfile; the ` +
      `program is /proxy-${role} there, and /usr/bin/proxy-${role} as well`,
    "README.md#on-kubernetes",
  );
  if (shell !== undefined) {
    edit(
      "a shell starts it, and the image has none: write the program and its flags as command and args, and a log file as " +
        "--logtostderr=false with --log-file",
      "docs/reference.md#flags-of-proxy-" + role,
    );
  }
  for (const hook of pod.hookCommands) {
    edit(
      `its ${hook}, which the image does not have: preStop.sleep does what sleep did, since Kubernetes 1.30`,
      "docs/distributions.md",
    );
  }
  const memory = part === undefined ? [] : checkMemory([part]).filter(({ outcome }) => outcome === "failed");
  for (const { text } of memory) edit(text, "docs/migration.md#memory-limits");
  if (memory.length === 0 && pod.memoryLimit !== undefined && pod.memoryLimit < soundMemoryBytes) {
    edit("its memory limit leaves no reserve: raise it to 64Mi or more", "docs/migration.md#memory-limits");
  }
  return steps;
}

/** What differs whatever the flags are. */
export function roleSteps(role: "server" | "agent", subject: string): readonly Step[] {
  const differs = (text: string, chapter: string): Step => ({ kind: "differs", subject, text, chapter });
  const ports = "a health or admin port that somebody has is tried again each second, instead of never";
  const common = [
    differs("it takes 29 MiB when it has started, where the original takes 6", "docs/migration.md#memory-limits"),
    differs(ports, "docs/migration.md#health-and-admin-ports"),
    differs(
      "metrics have the original's names; a few count otherwise, and there are more",
      "docs/reference.md#where-metrics-differ-on-purpose",
    ),
  ];
  if (role === "server") {
    return [
      ...common,
      differs(
        "it passes on dials over tcp alone, where the original passed on those of Unix sockets, too",
        "docs/security.md#a-client",
      ),
    ];
  }
  return [
    ...common,
    differs(
      "it dials neither its own ports nor its servers' port for agents nor link-local addresses (169.254.0.0/16, fe80::/10), " +
        "unless --destinations names the address: a DNS cache of the node at 169.254.20.10 is one",
      "SECURITY.md#destinations",
    ),
    differs(
      "SIGTERM lets it end when its last tunnel has ended, or at --drain-timeout; the original never ends by itself",
      "README.md#flags-and-metrics",
    ),
  ];
}
