import assert from "node:assert/strict";
import { describeDialFailure } from "./dial_failure.ts";

function failed(code: string, message = "as the runtime says it", extra: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(message), { code, ...extra });
}

const address = "destination.example:80";

Deno.test("a dial's error is told in the words of Go's net package", () => {
  const words: readonly (readonly [Error, string])[] = [
    [failed("ECONNREFUSED"), "dial tcp destination.example:80: connect: connection refused"],
    [failed("EHOSTUNREACH"), "dial tcp destination.example:80: connect: no route to host"],
    [failed("ENETUNREACH"), "dial tcp destination.example:80: connect: network is unreachable"],
    [failed("EMFILE"), "dial tcp destination.example:80: connect: too many open files"],
    [failed("ENOTFOUND"), "dial tcp: lookup destination.example: no such host"],
    [failed("EAI_AGAIN"), "dial tcp: lookup destination.example: server misbehaving"],
    [failed("EWHATEVER", "something new"), "dial tcp destination.example:80: connect: something new"],
    [new Error("no code at all"), "dial tcp destination.example:80: connect: no code at all"],
  ];
  for (const [error, message] of words) {
    assert.deepEqual(describeDialFailure("tcp", address, error), { reason: "unknown", message });
  }
});

Deno.test("a dial that took too long is a timeout, in words and in the metric", () => {
  assert.deepEqual(describeDialFailure("tcp4", address, failed("ETIMEDOUT")), {
    reason: "timeout",
    message: "dial tcp4 destination.example:80: i/o timeout",
  });
});

Deno.test("where all addresses of a name failed, the first one's error speaks for them", () => {
  const all = new AggregateError([failed("ECONNREFUSED"), failed("ENETUNREACH")], "all failed");
  assert.match(describeDialFailure("tcp", address, all).message, /connection refused$/);
});

Deno.test("a destination that the permissions do not allow is told as such, with the flag to change", () => {
  const refusals = [
    new Deno.errors.NotCapable("Requires net access"),
    failed("EPERM", "getaddrinfo EPERM", { syscall: "getaddrinfo" }),
  ];
  for (const error of refusals) {
    const { message } = describeDialFailure("tcp", address, error);
    assert.match(message, /^dial tcp destination\.example:80: connect: permission denied .*--destinations/);
  }
});
