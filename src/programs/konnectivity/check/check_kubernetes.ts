import { memberOf } from "../../../kube/client/json_value.ts";
import { KubeClient } from "../../../kube/client/kube_client.ts";
import { textOf } from "../../../kube/client/kube_error.ts";
import { loadApiAccess } from "../../../kube/access/load_access.ts";
import { isLeaseValid, type Lease } from "../../../kube/leases/lease.ts";
import { LeasesApi } from "../../../kube/leases/leases_api.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { needsKubernetes, usesTokens } from "../../server/server_validation.ts";
import { version } from "../../version.ts";
import type { WholeStatus } from "../status/read_status.ts";
import { type Finding, Findings } from "./finding.ts";
import type { Part } from "./part.ts";

/** A clock that differs by more, in milliseconds, is worth a look: the API tells whole seconds. */
const skewWarningMs = 5_000;
/** By more than this certificates and tokens that are fresh are refused. */
const skewFaultMs = 60_000;

/** Something that a program asks of the API. */
interface Right {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly verbs: readonly string[];
  /** What it is for, with the flag that asks for it. */
  readonly purpose: string;
}

/** Whether a program asks anything of the Kubernetes API. */
export function asksKubernetes(part: Part): boolean {
  return part.role === "server" ? needsKubernetes(part.options) : part.options.countServerLeases;
}

/**
 * What is asked of the Kubernetes API by programs that run here: whether it can be reached, what they may do, what its
 * clock says, and the leases.
 * @param status of the program, where it runs
 */
export async function checkKubernetes(
  parts: readonly Part[],
  status: WholeStatus | undefined,
  timeoutMs: number,
): Promise<readonly Finding[]> {
  const all = new Set<Findings>();
  const made = (name: ConstructorParameters<typeof Findings>[0]) => {
    const findings = new Findings(name);
    all.add(findings);
    return findings;
  };
  for (const part of parts) {
    if (!asksKubernetes(part)) continue;
    const reached = made("kubernetes");
    if (part.pod !== undefined) {
      reached.skip(part.label, "it is to ask the API as its pod's service account, which cannot be tried from here");
      continue;
    }
    const subject = part.options.kubeconfig === "" ? `${part.label}: in the pod` : `${part.label}: --kubeconfig`;
    let client: KubeClient;
    try {
      const access = await loadApiAccess(part.options.kubeconfig, part.env, systemClock);
      client = new KubeClient(access, { userAgent: `konnectivity/${version}`, clock: systemClock, timeoutMs });
    } catch (error) {
      reached.fail(subject, `${textOf(error)}: the program refuses to start`);
      continue;
    }
    using asked = client;
    const clock = made("clock");
    const rbac = made("rbac");
    if (!await checkRights(asked, part, subject, { reached, clock, rbac })) continue;
    await checkLeases(asked, part, status, made("leases"));
  }
  return [...all].flatMap(({ list }) => list);
}

/** @returns whether the API answers */
async function checkRights(
  client: KubeClient,
  part: Part,
  subject: string,
  { reached, clock, rbac }: { readonly reached: Findings; readonly clock: Findings; readonly rbac: Findings },
): Promise<boolean> {
  let skew: number | undefined;
  for (const { group, resource, namespace, verbs, purpose } of rightsOf(part)) {
    const refused: string[] = [];
    for (const verb of verbs) {
      try {
        const { value, apiTimeMs } = await client.call({
          method: "POST",
          path: "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
          body: {
            apiVersion: "authorization.k8s.io/v1",
            kind: "SelfSubjectAccessReview",
            spec: { resourceAttributes: { group, resource, verb, ...(namespace === "" ? {} : { namespace }) } },
          },
          // A review changes nothing.
          repeatable: true,
        }, new AbortController().signal);
        if (memberOf(memberOf(value, "status"), "allowed") !== true) refused.push(verb);
        if (apiTimeMs !== undefined) skew ??= systemClock.timeOfDay() - apiTimeMs;
      } catch (error) {
        reached.fail(
          subject,
          `${textOf(error)}; the address, the proxy and the credentials are those of the kubeconfig or the pod`,
        );
        return false;
      }
    }
    const where = `${resource}.${group}${namespace === "" ? "" : ` in ${namespace}`}`;
    if (refused.length === 0) rbac.ok(`${part.label}: ${where}`, `may ${verbs.join(", ")}, for ${purpose}`);
    else {
      rbac.fail(
        `${part.label}: ${where}`,
        `may not ${refused.join(", ")}, which ${purpose} needs: bind a role with these verbs to its user, as ` +
          "examples/kubernetes/base does",
      );
    }
  }
  reached.ok(subject, "the Kubernetes API answers");
  if (skew !== undefined) checkSkew(part.label, skew, clock);
  return true;
}

function rightsOf(part: Part): readonly Right[] {
  const leases = { group: "coordination.k8s.io", resource: "leases", namespace: part.options.leaseNamespace };
  if (part.role === "agent") return [{ ...leases, verbs: ["list", "watch"], purpose: "--count-server-leases" }];
  const { options } = part;
  return [
    ...(usesTokens(options)
      ? [{
        group: "authentication.k8s.io",
        resource: "tokenreviews",
        namespace: "",
        verbs: ["create"],
        purpose: "--authentication-audience",
      }]
      : []),
    ...(options.enableLeaseController
      ? [{ ...leases, verbs: ["get", "list", "create", "update", "delete"], purpose: "--enable-lease-controller" }]
      : []),
  ];
}

function checkSkew(subject: string, skewMs: number, findings: Findings): void {
  const seconds = Math.round(Math.abs(skewMs) / 1000);
  const text = `this machine's clock is ${seconds} s ${skewMs > 0 ? "ahead of" : "behind"} that of the Kubernetes API`;
  if (Math.abs(skewMs) > skewFaultMs) {
    findings.fail(
      subject,
      `${text}: certificates, tokens and leases are judged by the wrong time; have both follow NTP`,
    );
  } else if (Math.abs(skewMs) > skewWarningMs) findings.warn(subject, `${text}: have both follow NTP`);
  else findings.ok(subject, "this machine's clock agrees with that of the Kubernetes API");
}

async function checkLeases(
  client: KubeClient,
  part: Part,
  status: WholeStatus | undefined,
  findings: Findings,
): Promise<void> {
  if (part.role === "server" && !part.options.enableLeaseController) return;
  const { leaseNamespace: namespace } = part.options;
  const labelSelector = part.role === "agent" ? part.options.leaseLabelSelector : part.options.leaseLabel;
  const subject = `${part.label}: leases in ${namespace === "" ? "all namespaces" : namespace} with ${
    labelSelector || "any label"
  }`;
  let valid: readonly Lease[];
  try {
    const { leases, apiTimeMs } = await new LeasesApi(client).list(
      { namespace, labelSelector },
      new AbortController().signal,
    );
    const now = apiTimeMs ?? systemClock.timeOfDay();
    valid = leases.filter((lease) => isLeaseValid(lease, now));
  } catch (error) {
    // What may not be listed has been reported as such.
    return findings.skip(subject, textOf(error));
  }
  const text = `${valid.length} servers hold one`;
  if (part.role === "server") return findings.ok(subject, text);
  if (valid.length === 0) {
    return findings.fail(
      subject,
      "no server holds one, so this agent makes one link: give servers --enable-lease-controller, and both the same " +
        "namespace and labels (--lease-namespace, --lease-label, --lease-label-selector)",
    );
  }
  if (status?.kind !== "agent") return findings.ok(subject, text);
  const { leases, links } = status.status;
  if (leases !== undefined && (leases.namespace !== namespace || leases.labelSelector !== labelSelector)) {
    findings.warn(
      subject,
      `the agent that runs looks in ${leases.namespace || "all namespaces"} with ${
        leases.labelSelector || "any label"
      }: ` +
        "start it with these flags, or check those that it has",
    );
  }
  const holders = new Set(valid.map(({ holderIdentity }) => holderIdentity));
  const linked = new Set(links.items.filter(({ state }) => state === "up").map(({ server }) => server));
  const missing = [...holders.difference(linked)];
  const unknown = [...linked.difference(holders)];
  if (missing.length > 0) {
    findings.fail(
      subject,
      `${text}, and the agent has no link to ${
        missing.join(", ")
      }: konnectivity status of the agent says what its routes ` +
        "fail with",
    );
  }
  if (unknown.length > 0) {
    findings.fail(
      subject,
      `the agent is linked to ${
        unknown.join(", ")
      }, which has none: a server without a lease gets no new links; see its ` +
        "konnectivity status",
    );
  }
  if (missing.length + unknown.length === 0) findings.ok(subject, `${text}, and the agent is linked to each`);
}
