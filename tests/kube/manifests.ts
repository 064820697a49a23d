import { parseAllDocuments } from "yaml";
import { fileURLToPath } from "node:url";
import { listMember, memberOf, objectOf, textMember } from "../../src/kube/client/json_value.ts";
import type { Cluster } from "./cluster.ts";

/** The folder of examples, without a slash at its end. */
export const examples: string = fileURLToPath(new URL("../../examples", import.meta.url));

/** A Kubernetes object, or the YAML document of another tool. */
export type Manifest = Readonly<Record<string, unknown>>;

/** Reads every document of a YAML text. */
export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = objectOf(document.toJS());
    return object === undefined ? [] : [object];
  });
}

export async function readManifests(path: string): Promise<Manifest[]> {
  return parseManifests(await Deno.readTextFile(`${examples}/${path}`));
}

/** Renders a folder of examples that is a kustomization. */
export async function kustomize(cluster: Cluster, path: string): Promise<Manifest[]> {
  return parseManifests(await cluster.kubectlText("kustomize", `${examples}/${path}`));
}

export function kindOf(manifest: Manifest): string {
  return textMember(manifest, "kind");
}

export function nameOf(manifest: Manifest): string {
  return textMember(memberOf(manifest, "metadata"), "name");
}

/** A container of a pod, or of what makes pods. */
export interface Container {
  readonly image: string;
  readonly program: string;
  readonly args: readonly string[];
  /** As in the manifest. */
  readonly value: unknown;
  /** The pod's. */
  readonly podSpec: unknown;
}

/** The containers that an object leads to. */
export function containersOf(manifest: Manifest): Container[] {
  const spec = memberOf(manifest, "spec");
  const podSpec = kindOf(manifest) === "Pod" ? spec : memberOf(memberOf(spec, "template"), "spec");
  return listMember(podSpec, "containers").map((value) => ({
    image: textMember(value, "image"),
    program: String(listMember(value, "command")[0] ?? ""),
    args: listMember(value, "args").map(String),
    value,
    podSpec,
  }));
}
