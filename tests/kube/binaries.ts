import { fileURLToPath } from "node:url";

/** Where the programs are that a cluster is made of, etcd apart, which is on the PATH. */
export interface KubeBinaries {
  readonly apiserver: string;
  readonly kubectl: string;
  /** The stand-in of tests/kube/kubelet. */
  readonly kubelet: string;
}

/** The programs, or why they cannot be had. */
export type KubeBinariesFound =
  | { readonly kind: "found"; readonly binaries: KubeBinaries }
  | { readonly kind: "missing"; readonly why: string };

const missingCode = 3;

/** Builds the programs where they are missing, which takes minutes. @throws when the build itself fails */
export async function findKubeBinaries(): Promise<KubeBinariesFound> {
  const dir = fileURLToPath(new URL("../../.cache/kube/bin", import.meta.url));
  const script = fileURLToPath(new URL("build.sh", import.meta.url));
  const { code, stderr } = await new Deno.Command("bash", { args: [script, dir], stdout: "null", stderr: "piped" })
    .output();
  const said = new TextDecoder().decode(stderr).trim();
  if (code === missingCode) return { kind: "missing", why: said };
  if (code !== 0) throw new Error(`tests/kube/build.sh ended with ${code}: ${said}`);
  return {
    kind: "found",
    binaries: { apiserver: `${dir}/kube-apiserver`, kubectl: `${dir}/kubectl`, kubelet: `${dir}/kubelet` },
  };
}
