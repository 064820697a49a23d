import assert from "node:assert/strict";
import { LookupError } from "../../dial/dns/lookup_error.ts";
import { connectFailureText, describeDialFailure, describeLookupFailure, describeRefusal } from "./dial_failure.ts";

function failed(code: string, message = "as the runtime says it", extra: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(message), { code, ...extra });
}

const address = "destination.example:80";

/** What is told where each of these failed, at 10.0.0.1, 10.0.0.2 and so on. */
function told(network: string, ...errors: Error[]) {
  return describeDialFailure(network, address, errors.map((error, at) => ({ address: `10.0.0.${at + 1}`, error })));
}

Deno.test("a dial's error is told in the words of Go's net package", () => {
  const words: readonly (readonly [Error, string])[] = [
    [failed("ECONNREFUSED"), "dial tcp destination.example:80: connect: connection refused"],
    [failed("EHOSTUNREACH"), "dial tcp destination.example:80: connect: no route to host"],
    [failed("ENETUNREACH"), "dial tcp destination.example:80: connect: network is unreachable"],
    [failed("EMFILE"), "dial tcp destination.example:80: connect: too many open files"],
    [failed("EWHATEVER", "something new"), "dial tcp destination.example:80: connect: something new"],
    [new Error("no code at all"), "dial tcp destination.example:80: connect: no code at all"],
  ];
  for (const [error, message] of words) {
    assert.deepEqual(told("tcp", error), { reason: "unknown", message });
  }
});

Deno.test("a dial that took too long is a timeout, in words and in the metric", () => {
  assert.deepEqual(told("tcp4", failed("ETIMEDOUT")), {
    reason: "timeout",
    message: "dial tcp4 destination.example:80: i/o timeout",
  });
});

Deno.test("where all addresses of a name failed, the first one's error speaks for them", () => {
  const refused = "dial tcp destination.example:80: connect: connection refused";
  assert.equal(told("tcp", failed("ECONNREFUSED"), failed("ECONNREFUSED")).message, refused);
  assert.equal(
    told("tcp", failed("ECONNREFUSED"), failed("ENETUNREACH"), failed("ENETUNREACH")).message,
    `${refused} (10.0.0.1; 10.0.0.3: network is unreachable)`,
  );
  // The runtime's own error for several addresses says nothing by itself.
  const all = new AggregateError([failed("X", "this"), failed("Y", "that")]);
  assert.equal(told("tcp", all).message, "dial tcp destination.example:80: connect: this; that");
  assert.equal(connectFailureText(address, all), "this; that");
});

Deno.test("a name that cannot be resolved is told with the server that was asked", () => {
  const lookup = (code: "no-such-host" | "timeout" | "too-many", reason: string) =>
    describeLookupFailure("tcp", "x", new LookupError(code, "x", reason, "10.0.0.10:53"));
  assert.deepEqual(lookup("no-such-host", "no such host"), {
    reason: "unknown",
    message: "dial tcp: lookup x on 10.0.0.10:53: no such host",
  });
  assert.deepEqual(lookup("timeout", "i/o timeout"), {
    reason: "timeout",
    message: "dial tcp: lookup x on 10.0.0.10:53: i/o timeout",
  });
  assert.equal(lookup("too-many", "too many names").reason, "too_many_names");
});

Deno.test("a destination that the permissions do not allow is told as such, with the flag to change", () => {
  const refusals = [
    new Deno.errors.NotCapable("Requires net access"),
    failed("EPERM", "getaddrinfo EPERM", { syscall: "getaddrinfo" }),
  ];
  for (const error of refusals) {
    const { reason, message } = told("tcp", error);
    assert.equal(reason, "not_allowed");
    assert.match(message, /^dial tcp destination\.example:80: not allowed: .*--destinations/);
  }
});

Deno.test("a dial that a policy refused is told in the policy's words", () => {
  assert.deepEqual(describeRefusal("tcp", address, "not allowed: whatever"), {
    reason: "not_allowed",
    message: "dial tcp destination.example:80: not allowed: whatever",
  });
});
