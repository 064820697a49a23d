import type { Part } from "../check/part.ts";
import type { PlannedProgram } from "../manifest/manifest.ts";
import type { Step } from "./step.ts";

/** In which order the programs are replaced, with what to compare, and the way back. */
export function rolloutSteps(
  programs: readonly PlannedProgram[],
  parts: readonly Part[],
  path: string,
): readonly Step[] {
  const of = (role: "server" | "agent") => programs.filter((each) => each.role === role);
  const [server] = of("server");
  const [agent] = of("agent");
  const texts = [
    `edit what is listed above, then run konnectivity check -f ${path}, and again with --egress-selector and kube-apiserver's ` +
    "configuration where a server is among the programs",
    "keep the original's manifests: servers and agents of both kinds speak to each other, in any order, and nothing is " +
    "stored that the original could not go on with",
    ...(server === undefined ? [] : serverTexts(server, parts)),
    ...(agent === undefined ? [] : agentTexts(agent)),
    "compare for a day: konnectivity status is Healthy, the metrics of failed dials and ready backends are as before, and " +
    "memory stays under its limit",
    "the way back is the original's image in the same manifest, one program at a time, in any order",
  ];
  return texts.map((text, at) => ({ kind: "order", subject: `step ${at + 1}`, text, chapter: "docs/migration.md" }));
}

function serverTexts({ pod, label }: PlannedProgram, parts: readonly Part[]): string[] {
  const count = Math.max(1, ...parts.flatMap((part) => part.role === "server" ? [part.options.serverCount] : []));
  const how = pod === undefined
    ? "restart its unit"
    : label.startsWith("Pod ")
    ? "a static pod is replaced when its file is, so edit that of one machine and wait until it is ready"
    : `have ${label} replace one pod at a time (maxUnavailable: 1)`;
  const one = count > 1 ? `replace one of the ${count} servers first: ${how}` : `replace the server: ${how}`;
  return [
    `${one}; tunnels of that server end, kube-apiserver dials anew, and agents link to it within seconds`,
    ...(count > 1 ? ["replace the other servers, one after the other, when the first has its agents"] : []),
  ];
}

function agentTexts({ pod, label }: PlannedProgram): string[] {
  if (pod === undefined) return ["replace the agent: restart its unit; tunnels through it end"];
  const how = label.startsWith("DaemonSet ")
    ? "set updateStrategy OnDelete and delete the pod of one node"
    : "add a Deployment of one replica with the new image beside it";
  return [
    `replace one agent first: for ${label}, ${how}; tunnels through it end, and dials go through all agents alike`,
    `replace the other agents (${label}) when it has tunnels and no failures of its own`,
  ];
}
