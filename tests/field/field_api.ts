import type { IssuedPair } from "../../src/programs/certs/issue.ts";
import { listMember, memberOf, textMember } from "../../src/kube/client/json_value.ts";
import { type FakeCall, startFakeKubeApi } from "../support/fakes/fake_kube_api.ts";
import { testCertificates } from "../support/in_process/test_certificates.ts";

/** Account that every distribution's agents have. */
export const agentAccount = { namespace: "kube-system", name: "konnectivity-agent" };
/** User that kubeconfigs are for. */
export const serverUser = "system:konnectivity-server";

/** The Kubernetes API that the programs of a case are given. */
export interface FieldKubeApi {
  /** On 127.0.0.1 of this machine. */
  readonly port: number;
  /** Authority of its certificate, and of all others of a case. */
  readonly ca: IssuedPair;
  /** A token for the API itself, good for reviews. */
  readonly bearer: string;
  /** A token of the agents' account. @param audience absent: for the API itself */
  agentToken(audience?: string): Promise<string>;
}

/** An API in the test's place, which reviews tokens alone, in JSON: the original's programs ask in another form. */
export async function fakeFieldApi(): Promise<FieldKubeApi & AsyncDisposable> {
  const api = await startFakeKubeApi();
  const bearer = "bearer-of-the-server";
  api.handle = (call) => {
    const known = call.commonName === serverUser || call.headers.authorization === `Bearer ${bearer}`;
    if (!known) return call.fail(401, "Unauthorized");
    if (call.path !== "/apis/authentication.k8s.io/v1/tokenreviews") return call.fail(404, "NotFound");
    review(call);
  };
  const { ca } = await testCertificates();
  return {
    port: api.port,
    ca,
    bearer,
    agentToken: (audience = "api") => Promise.resolve(tokenFor(audience)),
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}

function review(call: FakeCall): void {
  const spec = memberOf(call.body, "spec");
  const audiences = listMember(spec, "audiences").filter((each) =>
    textMember(spec, "token") === tokenFor(String(each))
  );
  const username = `system:serviceaccount:${agentAccount.namespace}:${agentAccount.name}`;
  const status = audiences.length > 0
    ? { authenticated: true, user: { username, uid: "uid" }, audiences }
    : { authenticated: false, error: "unknown token" };
  call.answer(201, { kind: "TokenReview", apiVersion: "authentication.k8s.io/v1", status });
}

function tokenFor(audience: string): string {
  return `token-for-${audience.replaceAll(/[^a-z]/g, "-")}`;
}
