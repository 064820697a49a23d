import { owned, ownerOf } from "./owned.ts";

/** The promise's outcome, or the signal's reason if that comes first. */
export async function beforeAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = owned(ownerOf("dial", aborted.reject), () => aborted.reject(signal.reason));
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
