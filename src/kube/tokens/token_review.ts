import { listMember, memberOf, textMember } from "../client/json_value.ts";
import type { KubeClient } from "../client/kube_client.ts";
import { KubeError } from "../client/kube_error.ts";

/** What the API thinks of a token (authentication.k8s.io/v1). */
export interface TokenReview {
  readonly authenticated: boolean;
  /** Why it is not; may be empty. */
  readonly error: string;
  readonly username: string;
  readonly uid: string;
  /** What the API adds about the user, such as the pod that a token is bound to: the value of a key that has exactly one. */
  readonly extra: (key: string) => string;
  /** Those of the asked ones that the token is for. */
  readonly audiences: readonly string[];
}

const apiVersion = "authentication.k8s.io/v1";

/**
 * Asks the API whether a token is good for an audience.
 * @throws {KubeError} without the token in it; the signal's reason when it aborts
 */
export async function reviewToken(
  client: KubeClient,
  token: string,
  audience: string,
  signal: AbortSignal,
): Promise<TokenReview> {
  let value: unknown;
  try {
    ({ value } = await client.call({
      method: "POST",
      path: `/apis/${apiVersion}/tokenreviews`,
      body: { apiVersion, kind: "TokenReview", spec: { token, audiences: [audience] } },
      // A review changes nothing.
      repeatable: true,
    }, signal));
  } catch (error) {
    if (!(error instanceof KubeError) || !error.message.includes(token)) throw error;
    // An API that repeats what it was asked must not bring the token into a log.
    const { code, status, reason } = error;
    throw new KubeError(code, error.message.replaceAll(token, "[redacted]"), {
      ...(status === undefined ? {} : { status }),
      reason,
    });
  }
  const status = memberOf(value, "status");
  const user = memberOf(status, "user");
  const audiences = memberOf(status, "audiences");
  return {
    authenticated: memberOf(status, "authenticated") === true,
    error: textMember(status, "error"),
    username: textMember(user, "username"),
    uid: textMember(user, "uid"),
    extra: (key) => {
      const [value, ...more] = listMember(memberOf(user, "extra"), key);
      return typeof value === "string" && more.length === 0 ? value : "";
    },
    audiences: Array.isArray(audiences) ? audiences.filter((each) => typeof each === "string") : [],
  };
}
