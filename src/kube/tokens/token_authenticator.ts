import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import { owned, ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { TokenSubject } from "../../wire/peer_identity.ts";
import type { KubeClient } from "../client/kube_client.ts";
import { reasonOf, statusOf, textOf } from "../client/kube_error.ts";
import { reviewToken, type TokenReview } from "./token_review.ts";
import { tokenEndMs, tokenKey, VerdictCache, type VerdictCacheOptions } from "./verdict_cache.ts";

const log = getLogger(["kube", "tokens"]);

/** Which agents may connect. */
export interface TokenAuthenticatorOptions {
  readonly client: KubeClient;
  /** Of the agents' service account. */
  readonly namespace: string;
  readonly serviceAccount: string;
  /** What their tokens are made for. */
  readonly audience: string;
  /** How long the API may take for a review, queueing and repetitions included, in milliseconds. */
  readonly timeoutMs?: number;
  readonly cache?: VerdictCacheOptions;
  /** Reviews that may be in flight at once. */
  readonly maxReviews?: number;
  /** Told of each review; absent: nobody is. */
  readonly onReviewed?: (outcome: "accepted" | "refused" | "failed") => void;
  /** Told of each agent that is refused because {@link maxReviews} are in flight. */
  readonly onTooMany?: () => void;
  readonly clock: Clock;
}

/**
 * Decides on the `authorization` values of an agent's call, and says whom its token speaks for; the type is the server's.
 * @throws {ConnectError} to refuse it
 */
export type Authenticate = (authorization: readonly string[], signal: AbortSignal) => Promise<TokenSubject>;

/** kube-apiserver itself keeps what a webhook thinks of a token for two minutes. */
const defaultCache: VerdictCacheOptions = { goodMs: 120_000, badMs: 10_000, maxEntries: 10_000 };
const defaultTimeoutMs = 10_000;
const defaultMaxReviews = 1_000;
/** Service account tokens have about 1 KiB. */
const maxTokenChars = 16 * 1024;

/** The prefix of an agent's one authorization value. */
const scheme = "Bearer ";

/** A refusal that stays one as long as its verdict is kept. */
interface Refusal {
  readonly code: Code;
  /** For the agent. */
  readonly text: string;
  /** For the log, where it says more than the agent should know. */
  readonly detail?: string;
}

type Verdict = { readonly ok: true; readonly subject: TokenSubject } | {
  readonly ok: false;
  readonly refusal: Refusal;
};

/**
 * Lets in agents whose token the Kubernetes API knows as one of the right service account and for the right audience.
 * Verdicts are kept for a short time, and equal tokens that come together are reviewed once, so that many agents that
 * connect again are not a storm on the API. A verdict that the API could not give is not kept.
 */
export function createTokenAuthenticator(options: TokenAuthenticatorOptions): Authenticate {
  const { clock } = options;
  const cache = new VerdictCache<Verdict>(options.cache ?? defaultCache, clock);
  const reviews = new Map<string, Promise<Verdict>>();
  const judge = (token: string): Verdict | Promise<Verdict> => {
    const key = tokenKey(token);
    const known = cache.get(key) ?? reviews.get(key);
    if (known !== undefined) return known;
    if (reviews.size >= (options.maxReviews ?? defaultMaxReviews)) {
      options.onTooMany?.();
      throw new ConnectError("too many agents are being authenticated", Code.ResourceExhausted);
    }
    const review = judgeByReview(options, token).then((verdict) => {
      cache.set(key, verdict, verdict.ok, tokenEndMs(token));
      return verdict;
    }).finally(() => reviews.delete(key));
    reviews.set(key, review);
    return review;
  };
  return async (authorization, signal) => {
    signal.throwIfAborted();
    const verdict = await unlessAborted(judge(tokenOf(authorization)), signal);
    if (verdict.ok) return verdict.subject;
    const { code, text, detail } = verdict.refusal;
    if (detail !== undefined) log.warn("refusing an agent: {detail}", { detail });
    throw failure(text, code);
  };
}

function tokenOf(authorization: readonly string[]): string {
  const [value] = authorization;
  if (value === undefined) {
    throw new ConnectError("Authentication context was not found in metadata", Code.Unauthenticated);
  }
  if (authorization.length > 1) {
    throw new ConnectError(`too many (${authorization.length}) tokens are received`, Code.Unauthenticated);
  }
  if (!value.startsWith(scheme)) {
    throw new ConnectError(`received token does not have "${scheme}" prefix`, Code.Unauthenticated);
  }
  const token = value.slice(scheme.length);
  if (token === "" || token.length > maxTokenChars) {
    throw failure("lookup failed: service account jwt not valid", Code.Unauthenticated);
  }
  return token;
}

function failure(text: string, code: Code): ConnectError {
  return new ConnectError(`Failed to validate authentication token, err:${text}`, code);
}

async function judgeByReview(options: TokenAuthenticatorOptions, token: string): Promise<Verdict> {
  const { client, audience, clock, timeoutMs = defaultTimeoutMs } = options;
  const limit = new AbortController();
  const late = () => limit.abort(new Error(`no answer in ${timeoutMs} ms`));
  const deadline = clock.after(timeoutMs, late, ownerOf("kube"));
  try {
    const review = await reviewToken(client, token, audience, limit.signal);
    const refusal = refusalOf(review, options);
    options.onReviewed?.(refusal === undefined ? "accepted" : "refused");
    return refusal === undefined ? { ok: true, subject: subjectOf(review, options) } : { ok: false, refusal };
  } catch (error) {
    options.onReviewed?.("failed");
    log.error("cannot review the token of an agent: {reason}", { reason: textOf(error) });
    // Where the API is and what it says of this server is not for agents.
    const said = reasonOf(error) || (statusOf(error) === undefined ? "no answer" : `status ${statusOf(error)}`);
    throw failure(`Failed to authenticate request. err:${said}`, Code.Unavailable);
  } finally {
    deadline.cancel();
  }
}

function refusalOf(review: TokenReview, options: TokenAuthenticatorOptions): Refusal | undefined {
  const unauthenticated = (text: string, detail?: string): Refusal => ({
    code: Code.Unauthenticated,
    text: `lookup failed: ${text}`,
    ...(detail === undefined ? {} : { detail }),
  });
  if (review.error !== "") return unauthenticated(review.error);
  if (!review.authenticated) return unauthenticated("service account jwt not valid");
  // An API that does not know audiences answers without any: the token may be meant for somebody else.
  if (!review.audiences.includes(options.audience)) {
    return unauthenticated(
      "service account jwt not valid for this audience",
      `its token is for ${JSON.stringify(review.audiences)}, expected ${JSON.stringify(options.audience)}`,
    );
  }
  const denied = (text: string, expected?: string): Refusal => ({
    code: Code.PermissionDenied,
    text: `lookup failed: ${text}`,
    ...(expected === undefined ? {} : { detail: `${text}, expected "${expected}"` }),
  });
  const [system, kind, namespace, serviceAccount, ...more] = review.username.split(":");
  if (namespace === undefined || serviceAccount === undefined || more.length > 0) {
    return denied("unexpected username format");
  }
  if (system !== "system" || kind !== "serviceaccount") return denied("username returned is not a service account");
  if (namespace !== options.namespace) {
    return denied(`incoming request from "${namespace}" namespace`, options.namespace);
  }
  if (serviceAccount !== options.serviceAccount) {
    return denied(`incoming request from "${serviceAccount}" service account`, options.serviceAccount);
  }
  return undefined;
}

/** What the API says of a bound token: of the pod since Kubernetes 1.13, of its node since 1.30. */
function subjectOf(
  { uid, extra }: TokenReview,
  { namespace, serviceAccount }: TokenAuthenticatorOptions,
): TokenSubject {
  return {
    namespace,
    serviceAccount,
    uid,
    podName: extra("authentication.kubernetes.io/pod-name"),
    podUid: extra("authentication.kubernetes.io/pod-uid"),
    nodeName: extra("authentication.kubernetes.io/node-name"),
    nodeUid: extra("authentication.kubernetes.io/node-uid"),
  };
}

/** A caller that gives up leaves what it shares with others to them. */
async function unlessAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  if (!(value instanceof Promise)) return value;
  const aborted = Promise.withResolvers<never>();
  const onAbort = owned(ownerOf("kube", aborted.reject), () => aborted.reject(signal.reason));
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([value, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
