import type { Context, Hono, MiddlewareHandler } from "hono";
import { movedPermanently, plainText, refusal } from "./http_answers.ts";
import { isToLoopback } from "./loopback_host.ts";
import { Profiler, ProfilerError, type ProfilerErrorCode, type RecordingKind } from "./profiler.ts";

const root = "/debug/pprof";

/** Profiles of Go's runtime that this one has not; their names are answered with an explanation. */
const ofGoOnly = ["block", "goroutine", "mutex", "threadcreate", "trace"] as const;

const defaultSeconds = 30;

/** A recording slows the process down; nobody should leave one running by accident. */
const longestSeconds = 300;

const statusOf: Readonly<Record<ProfilerErrorCode, number>> = { busy: 409, refused: 503, failed: 500 };

/** What of profiles is served, and to whom. */
export interface ProfilingOptions {
  /** `--enable-heap-snapshots`: a snapshot holds all that the process does, private keys and tokens too. */
  readonly heapSnapshots: boolean;
  /** The admin port listens on a loopback address alone: then only requests to one are answered. */
  readonly loopbackOnly: boolean;
}

/**
 * Adds `/debug/pprof/` and what is below it: the paths of Go's net/http/pprof, with profiles of the JavaScript runtime
 * for browsers' developer tools and editors. Any method.
 */
export function addProfiling(app: Hono, options: ProfilingOptions, profiler: Profiler = new Profiler()): void {
  // A page of a stranger's site reaches this port through the browser of whoever it is open to, by a name of the site
  // that leads to 127.0.0.1 (DNS rebinding). Its requests carry that name.
  const loopbackHost: MiddlewareHandler = async (context, next) => {
    if (isToLoopback(context.req.raw)) return await next();
    return refusal("profiles are served only to requests to a loopback address: localhost, 127.0.0.1 or [::1]", 403);
  };
  if (options.loopbackOnly) app.use(`${root}/*`, loopbackHost);
  app.use(`${root}/heap`, loopbackHost);
  app.all(root, (context) => movedPermanently(context, `${root}/`));
  app.all(`${root}/`, () => index(options));
  app.all(`${root}/profile`, (context) => recording(context, profiler, "cpu", "cpuprofile"));
  app.all(`${root}/allocs`, (context) => recording(context, profiler, "allocations", "heapprofile"));
  app.all(`${root}/heap`, (context) => options.heapSnapshots ? heap(context, profiler) : noHeap());
  // What Go's pprof tool asks first: this program has no symbols to look up.
  app.all(`${root}/symbol`, () => plainText("num_symbols: 0\n"));
  for (const name of ofGoOnly) {
    app.all(
      `${root}/${name}`,
      () => refusal(`the JavaScript runtime has no ${name} profile, ${root}/ lists those that it has`, 404),
    );
  }
  app.all(`${root}/*`, () => refusal("Unknown profile", 404));
}

async function recording(
  context: Context,
  profiler: Profiler,
  kind: RecordingKind,
  extension: string,
): Promise<Response> {
  const seconds = secondsOf(context.req.query("seconds"));
  if (seconds > longestSeconds) return refusal(`seconds is over ${longestSeconds}`, 400);
  if (context.req.method === "HEAD") return attachment(null, extension);
  try {
    const started = await profiler.record(kind);
    // The headers leave at once; a client that goes away cancels the body, which ends the recording.
    const gone = new AbortController();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const profile = await started.finish(seconds * 1000, gone.signal);
        if (profile === undefined) return;
        controller.enqueue(new TextEncoder().encode(profile));
        controller.close();
      },
      cancel: () => gone.abort(),
    });
    return attachment(body, extension);
  } catch (error) {
    return refused(error);
  }
}

function noHeap(): Response {
  return refusal(
    "heap snapshots hold private keys and tokens in clear text and are not enabled, start with --enable-heap-snapshots",
    403,
  );
}

async function heap(context: Context, profiler: Profiler): Promise<Response> {
  if (context.req.method === "HEAD") return attachment(null, "heapsnapshot");
  try {
    const chunks = (await profiler.heapSnapshot()).values();
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const { value, done } = chunks.next();
        if (done) controller.close();
        else controller.enqueue(new TextEncoder().encode(value));
      },
    });
    return attachment(body, "heapsnapshot");
  } catch (error) {
    return refused(error);
  }
}

function attachment(body: BodyInit | null, extension: string): Response {
  return new Response(body, {
    headers: {
      "content-type": "application/json",
      "content-disposition": `attachment; filename="${Deno.pid}.${extension}"`,
      "x-content-type-options": "nosniff",
    },
  });
}

function refused(error: unknown): Response {
  if (!(error instanceof ProfilerError)) throw error;
  return refusal(error.message, statusOf[error.code]);
}

/** As Go: anything that is no positive number means the default. */
function secondsOf(text: string | undefined): number {
  const seconds = Number(text ?? "");
  return seconds > 0 ? seconds : defaultSeconds;
}

function index({ heapSnapshots }: ProfilingOptions): Response {
  const heapRow = [
    "heap",
    "Everything on the heap now, private keys included (.heapsnapshot); the program does nothing else while it is taken",
  ];
  const rows = [
    ["profile?seconds=30", "Where processor time goes, over some seconds (.cpuprofile)"],
    ["allocs?seconds=30", "A sample of what is allocated, over some seconds (.heapprofile)"],
    ...(heapSnapshots ? [heapRow] : []),
  ].map(([link, text]) => `<tr><td><a href="${link}">${link}</a></td><td>${text}</td></tr>\n`);
  const page = `<html>\n<head><title>${root}/</title></head>\n<body>\n${root}/\n` +
    `<p>Profiles of the JavaScript runtime, one at a time, for the developer tools of browsers and editors.</p>\n` +
    `<table>\n${rows.join("")}</table>\n</body>\n</html>\n`;
  return new Response(page, {
    headers: { "content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff" },
  });
}
