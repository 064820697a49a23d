import type { FakeKubeApi } from "./fake_kube_api.ts";

/** Writes a kubeconfig for an API that a test plays, with a client certificate. @returns its path */
export async function writeKubeconfig(
  folder: string,
  { certificates: { ca, client }, url }: FakeKubeApi,
): Promise<string> {
  const data = (pem: string) => btoa(pem);
  const path = `${folder}/kubeconfig`;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: url, "certificate-authority-data": data(ca.certPem) } }],
      users: [{
        name: "u",
        user: { "client-certificate-data": data(client.certPem), "client-key-data": data(client.keyPem) },
      }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  return path;
}
