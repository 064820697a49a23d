import { Code, ConnectError } from "@connectrpc/connect";
import assert from "node:assert/strict";
import { type FakeCall, startFakeKubeApi } from "../fakes/fake_kube_api.ts";
import { KubeClient } from "../../../src/kube/client/kube_client.ts";
import {
  type Authenticate,
  createTokenAuthenticator,
  type TokenAuthenticatorOptions,
} from "../../../src/kube/tokens/token_authenticator.ts";
import { systemClock } from "../../../src/runtime/system_clock.ts";

export const forever = new AbortController().signal;
export const good = "system:serviceaccount:kube-system:konnectivity-agent";
export const audience = "system:konnectivity-server";
export const prefix = "Failed to validate authentication token, err:";

/** What the API says of a token. */
export type Status = Readonly<Record<string, unknown>>;

export const accepted: Status = { authenticated: true, user: { username: good }, audiences: [audience] };

/** An authenticator over an API that knows every token as the same. */
export async function world(
  use: (authenticate: Authenticate, api: World) => Promise<void>,
  options: Partial<TokenAuthenticatorOptions> = {},
): Promise<void> {
  await using api = await startFakeKubeApi();
  const state: World = { status: accepted, reviews: [], handle: undefined };
  api.handle = (call) => {
    state.reviews.push(call);
    if (state.handle !== undefined) state.handle(call);
    else call.answer(201, { status: state.status });
  };
  using client = new KubeClient({
    server: new URL(api.url),
    insecure: false,
    credentials: () => Promise.resolve({ ca: api.certificates.ca.certPem }),
    expire: () => {},
  }, { userAgent: "test", qps: 1000, burst: 1000, clock: systemClock });
  const authenticate = createTokenAuthenticator({
    client,
    namespace: "kube-system",
    serviceAccount: "konnectivity-agent",
    audience,
    clock: systemClock,
    ...options,
  });
  await use(authenticate, state);
}

/** What the API answers, and what it was asked. */
export interface World {
  status: Status;
  readonly reviews: FakeCall[];
  handle: ((call: FakeCall) => void) | undefined;
}

/** How an authenticator refuses, which it must. */
export async function refusal(authenticate: Authenticate, ...authorization: string[]): Promise<ConnectError> {
  const error = await authenticate(authorization, forever).then(() => assert.fail("it was let in"), (reason) => reason);
  assert.ok(error instanceof ConnectError, String(error));
  return error;
}

export async function assertRefused(call: Promise<ConnectError>, code: Code, message: string): Promise<void> {
  const error = await call;
  assert.equal(error.rawMessage, message);
  assert.equal(Code[error.code], Code[code]);
}
