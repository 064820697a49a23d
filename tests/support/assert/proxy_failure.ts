import assert from "node:assert/strict";
import { ProxyError } from "../../../src/client/mod.ts";

/** What an operation of a proxy client fails with; succeeding is the failure then. */
export async function proxyFailure(operation: Promise<unknown>): Promise<ProxyError> {
  try {
    await operation;
  } catch (error) {
    assert.ok(error instanceof ProxyError, String(error));
    return error;
  }
  return assert.fail("it succeeded");
}
