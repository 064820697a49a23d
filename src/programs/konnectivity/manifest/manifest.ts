import { listMember, memberOf, objectOf, textMember, textMembers } from "../../../kube/client/json_value.ts";
import { YamlError, yamlValues } from "../../../kube/access/yaml_values.ts";
import { type PodFacts, podFacts } from "./pod_facts.ts";
import { type ProgramCommand, programCommand, roleOfImage } from "./program_command.ts";
import { shellWords } from "./shell_words.ts";

/** A program as a file says that it is to run. */
export interface PlannedProgram extends ProgramCommand {
  /** For messages: `DaemonSet kube-system/konnectivity-agent`, or the file. */
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
  /** Absent: it is no pod. */
  readonly pod?: PodFacts;
}

/** A file holds no program that can be checked. The message says what it holds instead. */
export class ManifestError extends Error {
  override readonly name = "ManifestError";
  readonly code = "bad-manifest";
}

/**
 * The programs of a file: a Kubernetes manifest (YAML or JSON, of any kind that makes pods, several documents, lists), a
 * unit of systemd, or a command line.
 * @param path for messages
 * @throws {ManifestError}
 */
export function plannedPrograms(text: string, path: string): readonly PlannedProgram[] {
  // Blanks of one line each: over lines, a file of blank lines would take the square of their number.
  const values = /(?:^|[{,])[ \t]*["']?(?:kind|apiVersion)["']?[ \t]*:/m.test(text) ? documents(text, path) : undefined;
  const found = values === undefined
    ? commandLines(text, path)
    : values.flatMap((value) => programsOf(value, configMapsOf(values)));
  if (found.length > 0) return found;
  const kinds = values?.map((value) => textMember(value, "kind")).filter((kind) => kind !== "") ?? [];
  throw new ManifestError(
    kinds.length === 0
      ? `${path} holds neither a Kubernetes manifest nor a command line of proxy-server or proxy-agent`
      : `${path} holds ${kinds.join(", ")}, and no container that runs proxy-server or proxy-agent`,
  );
}

function documents(text: string, path: string): readonly unknown[] {
  try {
    return yamlValues(text);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new ManifestError(`${path} is not YAML: ${error.message}`);
  }
}

/** Kubernetes bounds nothing here, and a list in a list is none. */
function programsOf(value: unknown, maps: ConfigMaps): PlannedProgram[] {
  const kind = textMember(value, "kind");
  if (kind.endsWith("List") || kind === "List") {
    return listMember(value, "items").flatMap((item) => programsOf(item, maps));
  }
  const metadata = memberOf(value, "metadata");
  const namespace = textMember(metadata, "namespace");
  const label = `${kind} ${namespace === "" ? "" : `${namespace}/`}${textMember(metadata, "name")}`;
  const spec = podSpecOf(value);
  if (spec === undefined) return [];
  return [...listMember(spec, "initContainers"), ...listMember(spec, "containers")].flatMap((container) =>
    containerProgram(container, spec, label, maps) ?? []
  );
}

/** Of a pod itself, or of whatever has a template of one. */
function podSpecOf(value: unknown): unknown {
  const spec = memberOf(value, "spec");
  if (Array.isArray(memberOf(spec, "containers"))) return spec;
  const inner = memberOf(memberOf(spec, "jobTemplate"), "spec") ?? spec;
  const template = memberOf(memberOf(inner, "template"), "spec");
  return objectOf(template);
}

/** The texts of the ConfigMaps of a file, by their name. */
type ConfigMaps = ReadonlyMap<string, Readonly<Record<string, string>>>;

function configMapsOf(values: readonly unknown[]): ConfigMaps {
  const all = values.flatMap((value) => textMember(value, "kind") === "List" ? listMember(value, "items") : [value]);
  return new Map(
    all.filter((value) => textMember(value, "kind") === "ConfigMap").map((value) => [
      textMember(memberOf(value, "metadata"), "name"),
      textMembers(memberOf(value, "data")),
    ]),
  );
}

function containerProgram(
  container: unknown,
  spec: unknown,
  label: string,
  maps: ConfigMaps,
): PlannedProgram | undefined {
  const words = (name: string) => listMember(container, name).map(wordOf);
  const { env, unknown, open } = environmentOf(container, maps);
  const undefinedVariables = new Set<string>();
  const unknownFlags: string[] = [];
  const expanded = [...words("command"), ...words("args")].flatMap((word) => {
    let known = true;
    const text = word.replace(/\$\$|\$\(([A-Za-z_][\w.-]*)\)/g, (whole, name?: string) => {
      if (name === undefined) return "$";
      const value = own(env, name);
      if (value !== undefined) return value;
      if (open || unknown.has(name)) known = false;
      else undefinedVariables.add(name);
      return whole;
    });
    // A flag without a value that is known is left out, with its default in its place.
    const flag = known ? undefined : /^--?[\w-]+(?==)/.exec(word)?.[0];
    if (flag === undefined) return [text];
    unknownFlags.push(flag);
    return [];
  });
  const role = roleOfImage(textMember(container, "image"));
  const command = programCommand(expanded) ??
    // An image runs its own program where the manifest names none.
    (words("command").length === 0 && role !== undefined ? { role, flags: expanded } : undefined);
  if (command === undefined) return undefined;
  const name = `${label}, container ${textMember(container, "name")}`;
  const pod = podFacts(name, spec, container, { undefinedVariables: [...undefinedVariables], unknownFlags });
  return { ...command, label, env, pod };
}

/** What a kubelet fills in stands for itself, in a form that flags take. */
const filledIn: Readonly<Record<string, string>> = {
  "status.hostIP": "192.0.2.1",
  "status.podIP": "192.0.2.2",
  "spec.nodeName": "node-name",
  "metadata.name": "pod-name",
  "metadata.namespace": "pod-namespace",
  "metadata.uid": "pod-uid",
};

/** The variables of a container. */
interface Environment {
  readonly env: Record<string, string>;
  /** Defined by what is not in the file. */
  readonly unknown: ReadonlySet<string>;
  /** There may be more, from what is not in the file. */
  readonly open: boolean;
}

function environmentOf(container: unknown, maps: ConfigMaps): Environment {
  const env: Record<string, string> = {};
  const unknown = new Set<string>();
  let open = false;
  for (const from of listMember(container, "envFrom")) {
    const data = maps.get(textMember(memberOf(from, "configMapRef"), "name"));
    if (data === undefined) open = true;
    else Object.assign(env, data);
  }
  for (const variable of listMember(container, "env")) {
    const name = textMember(variable, "name");
    const from = memberOf(variable, "valueFrom");
    const key = memberOf(from, "configMapKeyRef");
    const value = from === undefined
      ? textMember(variable, "value").replace(/\$\(([\w.-]+)\)/g, (whole, other: string) => own(env, other) ?? whole)
      : own(filledIn, textMember(memberOf(from, "fieldRef"), "fieldPath")) ??
        own(maps.get(textMember(key, "name")) ?? {}, textMember(key, "key"));
    if (value === undefined) unknown.add(name);
    else env[name] = value;
  }
  return { env, unknown, open };
}

/** A word of a command; Kubernetes refuses what is no text. */
function wordOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What a table has under a name; nothing of what each object has. */
function own(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** A unit's ExecStart, or the lines of a script, one after the other. */
function commandLines(text: string, path: string): PlannedProgram[] {
  const joined = text.replace(/\\\r?\n/g, " ");
  const unit = [...joined.matchAll(/^ExecStart=[-@:+!]*(.*)$/gm)].map(([, line = ""]) => line);
  const lines = unit.length > 0 ? unit : joined.split("\n");
  const env = Object.fromEntries(
    [...joined.matchAll(/^Environment="?(\w+)=([^"\n]*)"?$/gm)].map(([, name = "", value = ""]) => [name, value]),
  );
  return lines.flatMap((line) => {
    const command = programCommand(shellWords(line));
    return command === undefined ? [] : [{ ...command, label: path, env }];
  });
}
