import { getLogger } from "@logtape/logtape";
import { owned, ownerOf } from "../../faults/owned.ts";
import { connect, type ConnectOptions, fetchOver, type ProxyClient, ProxyError } from "../../client/mod.ts";
import { readTlsFiles, TlsFilesError } from "../../net/tls/tls_files.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { endingSignals } from "../signals.ts";
import type { TestClientOptions } from "./test_options.ts";
import { systemClock } from "../../runtime/system_clock.ts";

const log = getLogger(["test-client"]);

/** Statuses from here on are failures. */
const firstFailingStatus = 400;
const newline = "\n".charCodeAt(0);

/** Where the answers' bodies go. */
export type BodyOutput = (bytes: Uint8Array) => Promise<void>;

/** What proxy-test-client is asked to do, its logging aside. */
export type TestClientTask = Omit<TestClientOptions, "logging">;

/** The destination answered with a status that says that it failed. */
class StatusError extends Error {
  override readonly name = "StatusError";
  readonly code = "bad-status";
}

/**
 * The program proxy-test-client: sends its requests all at once, each over a connection to the proxy of its own, and
 * writes the answers' bodies to stdout, each with a line end behind it if it has none.
 * @returns its exit code: 0 when every answer came with a status below 400; 1 otherwise, and when a signal ended it
 */
export async function runTestClient(options: TestClientTask, output: BodyOutput = writeToStdout): Promise<number> {
  using signals = endingSignals();
  const abort = new AbortController();
  const interrupted = signals.first.then((signal) => {
    abort.abort(new Error(`interrupted by ${signal}`));
    log.error("interrupted by {signal}: requests in flight are dropped", { signal });
    return 1;
  });
  // What is still open after a signal ends with the process.
  return await Promise.race([interrupted, sendAll(options, output, abort.signal)]);
}

async function sendAll(options: TestClientTask, output: BodyOutput, signal: AbortSignal): Promise<number> {
  let proxy: ConnectOptions;
  try {
    proxy = await proxyOptions(options);
  } catch (error) {
    if (!(error instanceof TlsFilesError)) throw error;
    log.error("{reason}", { reason: error.message });
    return 1;
  }
  await using held = new AsyncDisposableStack();
  const outcomes = await Promise.allSettled(
    Array.from({ length: options.testRequests }, (_, at) => sendOne(options, proxy, at, output, signal, held)),
  );
  await sleep(options.afterDelaySeconds, signal);
  const failures = outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason] : []);
  // A signal's own message has been logged already.
  if (signal.aborted) return 1;
  for (const failure of failures) log.error("request failed: {reason}", { reason: reasonOf(failure) });
  if (failures.length > 1) log.error("Requests failed: {count}", { count: failures.length });
  return failures.length === 0 ? 0 : 1;
}

async function sendOne(
  options: TestClientTask,
  proxyTarget: ConnectOptions,
  at: number,
  output: BodyOutput,
  signal: AbortSignal,
  held: AsyncDisposableStack,
): Promise<void> {
  const startMs = performance.now();
  const proxy: ProxyClient = await connect({ ...proxyTarget, signal });
  held.use(proxy);
  const destination = formatHostPort(options.requestHost, options.requestPort);
  const tunnel = await proxy.dial(destination, { signal });
  const url = new URL(options.requestPath.replace(/^\/*/, "/"), `${options.requestProto}://${destination}`);
  const response = await fetchOver(tunnel, url, {
    headers: { "connection": "keep-alive", "user-agent": options.userAgent },
    signal,
  });
  const body = new Uint8Array(await response.arrayBuffer());
  const { status } = response;
  log.info("{url} answered {status} with {bytes} bytes after {ms} ms", {
    url: url.href,
    status,
    bytes: body.length,
    ms: Math.round(performance.now() - startMs),
  });
  if (body.length > 0) await output(withLineEnd(body));
  // The last connection is not held, as in the original.
  if (at + 1 < options.testRequests) await sleep(options.testDelaySeconds, signal);
  if (options.closeIdleConn) await proxy.close();
  if (status >= firstFailingStatus) {
    throw new StatusError(`${url} answered ${status} ${response.statusText}`.trimEnd());
  }
}

async function proxyOptions(options: TestClientTask): Promise<ConnectOptions> {
  const mode = options.mode === "grpc" ? "grpc" : "http-connect";
  const { userAgent } = options;
  if (options.proxyUds !== "") return { mode, userAgent, transport: "unix", path: options.proxyUds };
  const tls = await readTlsFiles({ cert: options.clientCert, key: options.clientKey, ca: options.caCert }, systemClock);
  return { mode, userAgent, transport: "tls", host: options.proxyHost, port: options.proxyPort, tls };
}

/** What a user reads of a failure, with the code that says whose it is. */
function reasonOf(error: unknown): string {
  if (error instanceof ProxyError) return `${error.message} (${error.code})`;
  return error instanceof Error ? error.message : String(error);
}

function withLineEnd(body: Uint8Array): Uint8Array {
  if (body.at(-1) === newline) return body;
  const ended = new Uint8Array(body.length + 1);
  ended.set(body);
  ended[body.length] = newline;
  return ended;
}

async function writeToStdout(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await Deno.stdout.write(bytes.subarray(at));
}

/** Ends early when the signal aborts. */
function sleep(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = owned(ownerOf("timer", () => resolve()), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    });
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
