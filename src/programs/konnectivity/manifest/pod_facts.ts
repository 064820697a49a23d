import { listMember, memberOf, textMember } from "../../../kube/client/json_value.ts";

/** A file of a container: which volume holds it, and where it is on this machine, if anywhere. */
export type MountedFile =
  | { readonly kind: "host"; /** On the node. */ readonly path: string }
  | { readonly kind: "volume"; readonly volume: string; readonly what: string }
  | { readonly kind: "unmounted" };

/** A token that the kubelet puts into a pod. */
export interface ProjectedToken {
  /** In the container. */
  readonly path: string;
  /** Empty: that of the API. */
  readonly audience: string;
}

/** What a pod's manifest says of one container, beside its command. */
export interface PodFacts {
  /** Kind, name and container, for messages. */
  readonly label: string;
  readonly image: string;
  readonly hostNetwork: boolean;
  /** How long the pod may take to end. */
  readonly graceSeconds: number;
  /** Bytes; undefined: none. */
  readonly memoryLimit: number | undefined;
  readonly tokens: readonly ProjectedToken[];
  /** HTTP probes by their name. */
  readonly probes: readonly { readonly name: string; readonly port: number | undefined; readonly path: string }[];
  /** Programs that the container's hooks run, which an image without a shell has not. */
  readonly hookCommands: readonly string[];
  /** Folders that are an empty volume. */
  readonly emptyFolders: readonly string[];
  /** Variables of the command that the container does not define. */
  readonly undefinedVariables: readonly string[];
  /** Flags whose value is only known in the cluster, and which are left out. */
  readonly unknownFlags: readonly string[];
  mounted(path: string): MountedFile;
}

const defaultGraceSeconds = 30;

/** Reads what belongs to one container of a pod. */
export function podFacts(
  label: string,
  spec: unknown,
  container: unknown,
  { undefinedVariables, unknownFlags }: Pick<PodFacts, "undefinedVariables" | "unknownFlags">,
): PodFacts {
  const volumes = new Map(listMember(spec, "volumes").map((volume) => [textMember(volume, "name"), volume]));
  const mounts = listMember(container, "volumeMounts").map((mount) => ({
    path: textMember(mount, "mountPath").replace(/(?<=.)\/+$/, ""),
    sub: textMember(mount, "subPath"),
    volume: textMember(mount, "name"),
  })).sort((a, b) => b.path.length - a.path.length);
  const grace = memberOf(spec, "terminationGracePeriodSeconds");
  const ports = new Map(
    listMember(container, "ports").map((port) => [textMember(port, "name"), memberOf(port, "containerPort")]),
  );
  return {
    label,
    image: textMember(container, "image"),
    hostNetwork: memberOf(spec, "hostNetwork") === true,
    graceSeconds: typeof grace === "number" ? grace : defaultGraceSeconds,
    memoryLimit: quantity(memberOf(memberOf(memberOf(container, "resources"), "limits"), "memory")),
    tokens: mounts.flatMap(({ path, volume }) =>
      listMember(memberOf(volumes.get(volume), "projected"), "sources").flatMap((source) => {
        const token = memberOf(source, "serviceAccountToken");
        const file = textMember(token, "path");
        return file === "" ? [] : [{ path: `${path}/${file}`, audience: textMember(token, "audience") }];
      })
    ),
    probes: ["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => {
      const get = memberOf(memberOf(container, name), "httpGet");
      if (get === undefined) return [];
      const named = memberOf(get, "port");
      const port = typeof named !== "string" ? named : /^\d+$/.test(named) ? Number(named) : ports.get(named);
      return [{ name, port: typeof port === "number" ? port : undefined, path: textMember(get, "path") }];
    }),
    hookCommands: ["postStart", "preStop"].flatMap((hook) => {
      const [command] = listMember(memberOf(memberOf(memberOf(container, "lifecycle"), hook), "exec"), "command");
      return typeof command === "string" ? [`${hook} runs ${command}`] : [];
    }),
    emptyFolders: mounts.filter(({ volume }) => memberOf(volumes.get(volume), "emptyDir") !== undefined).map((
      { path },
    ) => path),
    undefinedVariables,
    unknownFlags,
    mounted: (path) => {
      const mount = mounts.find((each) => path === each.path || path.startsWith(`${each.path}/`));
      if (mount === undefined) return { kind: "unmounted" };
      const volume = volumes.get(mount.volume);
      const host = textMember(memberOf(volume, "hostPath"), "path");
      if (host !== "") {
        const below = path.slice(mount.path.length);
        return {
          kind: "host",
          path: [host.replace(/\/+$/, ""), ...(mount.sub === "" ? [] : [`/${mount.sub}`]), below].join(""),
        };
      }
      const kind = ["secret", "configMap", "projected", "emptyDir", "csi", "persistentVolumeClaim"].find((each) =>
        memberOf(volume, each) !== undefined
      );
      return { kind: "volume", volume: mount.volume, what: volume === undefined ? "missing" : kind ?? "other" };
    },
  };
}

const units: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** A quantity of Kubernetes in bytes; undefined where it is none. */
export function quantity(value: unknown): number | undefined {
  const text = typeof value === "string" || typeof value === "number" ? String(value) : "";
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?(?:e\d+)?)(m|[kMGT]|[KMGT]i)?$/.exec(text) ?? [];
  if (number === "") return undefined;
  return unit === "m" ? Number(number) / 1000 : Number(number) * (units[unit] ?? 1);
}
