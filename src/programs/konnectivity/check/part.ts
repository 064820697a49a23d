import type { Env, ParsedFlags } from "../../../flags/program.ts";
import { type FileProbe, probeFile } from "../../../flags/file_probe.ts";
import type { Validation } from "../../../flags/validation.ts";
import { parseAgentFlags } from "../../agent/agent_flags.ts";
import type { AgentOptions } from "../../agent/agent_options.ts";
import { validateAgentOptions } from "../../agent/agent_validation.ts";
import { parseServerFlags } from "../../server/server_flags.ts";
import type { ServerOptions } from "../../server/server_options.ts";
import { validateServerOptions } from "../../server/server_validation.ts";
import type { PlannedProgram } from "../manifest/manifest.ts";
import type { PodFacts } from "../manifest/pod_facts.ts";

/** A program that is to be checked: its command line, and where it is to run. */
export type Part = ServerPart | AgentPart;

interface CommonPart {
  /** For messages. */
  readonly label: string;
  readonly env: Env;
  /** It is to run as this pod, and not here. */
  readonly pod?: PodFacts;
  /** Where a file of the command line is on this machine; undefined: it is not here. */
  readonly local: (path: string) => string | undefined;
}

export interface ServerPart extends CommonPart {
  readonly role: "server";
  readonly options: ServerOptions;
}

export interface AgentPart extends CommonPart {
  readonly role: "agent";
  readonly options: AgentOptions;
}

/** A part, or the text of its refusal. */
export type ParsedPart =
  | { readonly kind: "part"; readonly part: Part; readonly notices: readonly string[] }
  | { readonly kind: "refused"; readonly label: string; readonly message: string };

/**
 * Reads the command line of a program.
 * @param ownEnv the environment of this process, which a program that is no pod shares
 * @param exists whether a file of a node is on this machine as well
 */
export function partOf(planned: PlannedProgram, ownEnv: Env, exists: (path: string) => boolean): ParsedPart {
  const { role, label, env: given, pod, flags } = planned;
  const env: Env = (name) => given[name] ?? (pod === undefined ? ownEnv(name) : undefined);
  const shown = pod?.label ?? label;
  const common: CommonPart = {
    label: shown,
    env,
    ...(pod === undefined ? {} : { pod }),
    local: (path) => {
      if (pod === undefined) return path;
      const file = pod.mounted(path);
      return file.kind === "host" && exists(file.path) ? file.path : undefined;
    },
  };
  const taken = <Options>(parsed: ParsedFlags<Options>, make: (options: Options) => Part): ParsedPart => {
    switch (parsed.kind) {
      case "options":
        return { kind: "part", part: make(parsed.options), notices: parsed.notices };
      case "error":
        return { kind: "refused", label: shown, message: parsed.message };
      default:
        return { kind: "refused", label: shown, message: `--${parsed.kind} makes the program end at once` };
    }
  };
  return role === "server"
    ? taken(parseServerFlags(flags, env), (options) => ({ ...common, role, options }))
    : taken(parseAgentFlags(flags, env), (options) => ({ ...common, role, options }));
}

/** The files that a command line names, by their flags, without those that are not set. */
export function filesOf(part: Part): ReadonlyMap<string, string> {
  const { options } = part;
  const files: Record<string, string> = part.role === "server"
    ? {
      "server-cert": part.options.serverCert,
      "server-key": part.options.serverKey,
      "server-ca-cert": part.options.serverCaCert,
      "cluster-cert": part.options.clusterCert,
      "cluster-key": part.options.clusterKey,
      "cluster-ca-cert": part.options.clusterCaCert,
    }
    : {
      "agent-cert": part.options.agentCert,
      "agent-key": part.options.agentKey,
      "ca-cert": part.options.caCert,
      "service-account-token-path": part.options.serviceAccountTokenPath,
    };
  return new Map(Object.entries({ ...files, kubeconfig: options.kubeconfig }).filter(([, path]) => path !== ""));
}

/** Checks a command line as the program does when it starts; files that are not here are taken for sound. */
export function validate(part: Part, probe: FileProbe = probeOf(part)): Promise<Validation> {
  return part.role === "server"
    ? validateServerOptions(part.options, probe)
    : validateAgentOptions(part.options, probe);
}

function probeOf(part: Part): FileProbe {
  return (path) => {
    const local = part.local(path);
    return local === undefined ? Promise.resolve({ kind: "readable" }) : probeFile(local);
  };
}
