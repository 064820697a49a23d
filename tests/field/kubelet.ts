import {
  controlPlaneIp,
  type FieldCase,
  type FieldFile,
  type FieldProbe,
  type FieldProgram,
  nodeIp,
} from "./field_case.ts";

/**
 * A container's command line as a kubelet hands it over: `$(NAME)` is a variable's value where there is one, `$$` stands for
 * `$`, and everything else, `${NAME}` included, stays as it is.
 */
export function expanded({ command, env = {} }: FieldProgram): string[] {
  return command.map((word) =>
    word.replace(/\$(\$|\(([^()]*)\))/g, (all, dollar: string, name: string | undefined) => {
      if (dollar === "$") return "$";
      return name === undefined ? all : env[name] ?? all;
    })
  );
}

/** A mounted file with what the corpus leaves out of it. */
export function fileOf(file: FieldProgram["files"][string]): FieldFile {
  return typeof file === "string" ? { content: file } : file;
}

/** A probe with the API's defaults, and where it goes. */
export function probeOf(probe: FieldProbe, role: "server" | "agent"): Required<FieldProbe> {
  return {
    host: role === "server" ? controlPlaneIp : nodeIp,
    scheme: "HTTP",
    initialDelaySeconds: 0,
    timeoutSeconds: 1,
    periodSeconds: 10,
    failureThreshold: 3,
    ...probe,
    // A kubelet makes a URL of it.
    path: probe.path.startsWith("/") ? probe.path : `/${probe.path}`,
  };
}

/** Milliseconds after a container's start at which a kubelet kills it if its liveness probe, or its startup probe, has not succeeded yet. */
export function patienceMs({ startup, liveness }: FieldProgram, role: "server" | "agent"): number {
  const asked = startup ?? liveness;
  if (asked === undefined) return Number.POSITIVE_INFINITY;
  const { initialDelaySeconds, periodSeconds, failureThreshold } = probeOf(asked, role);
  return (initialDelaySeconds + periodSeconds * (failureThreshold - 1)) * 1000;
}

/** The case as it is once what must be edited has been. */
export function edited(field: FieldCase): FieldCase {
  const { refusal } = field;
  if (refusal?.edit === undefined) return field;
  const { add = [], replace = {} } = refusal.edit;
  const program = field[refusal.of];
  const command = program.command.map((word) => replace[word] ?? word);
  for (const word of Object.keys(replace)) {
    if (!program.command.includes(word)) throw new Error(`${field.distribution} has no argument ${word} to replace`);
  }
  return { ...field, [refusal.of]: { ...program, command: [...command, ...add] } };
}
