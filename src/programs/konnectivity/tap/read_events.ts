import { memberOf, objectOf, textMember } from "../../../kube/client/json_value.ts";
import { pause } from "../pause.ts";
import { AdminError, type AdminStream, gathered, openAdmin, textOf } from "../status/admin_client.ts";
import { EventFormError, EventParser } from "./event_parser.ts";

/** An event as it came, and what it holds. */
export interface ReadEvent {
  /** JSON, on one line, without what a terminal acts on. */
  readonly text: string;
  readonly event: Readonly<Record<string, unknown>> & { readonly type: string };
}

/** What an admin port is asked for. */
export interface EventRequest {
  readonly types: readonly string[];
  /** As `/events` takes them; those that are not given are absent. */
  readonly filters: Readonly<Record<string, string>>;
  /** Until the first event. */
  readonly timeoutMs: number;
}

/** A watch that has begun. */
export interface EventStream {
  readonly program: "proxy-server" | "proxy-agent";
  /**
   * Events in portions, as they come, the hello first; whoever stops reading closes the connection. It ends where the program
   * ends it in order.
   * @throws {AdminError} where it breaks off; the signal's reason when it aborts
   */
  readonly portions: AsyncIterable<readonly ReadEvent[]>;
}

/** `/events` cannot be watched. `refused`: trying again is of no use. `full`, `closing`: it may be. */
export class WatchRefused extends AdminError {
  readonly why: "refused" | "full" | "closing";

  constructor(why: WatchRefused["why"], message: string) {
    super("failed", message);
    this.why = why;
  }
}

/** The form of events that is known here. */
const knownVersion = 1;

/** A program that is silent for so long is gone: it sends a comment each 15 s. */
const silentMs = 60_000;

/** What a refusal may hold. */
const refusalBytes = 64 * 1024;

/** Where a filter is one of the other program. */
const whose = "--agent and --client are of a server, --server is of an agent, and types of events are too";

/**
 * Begins to watch a program, and reads its hello.
 * @throws {AdminError} with what to do; the signal's reason when it aborts
 */
export async function readEvents(
  admin: URL,
  { types, filters, timeoutMs }: EventRequest,
  signal: AbortSignal,
): Promise<EventStream> {
  const query = new URLSearchParams({ ...(types.length === 0 ? {} : { type: types.join(",") }), ...filters });
  const over = new AbortController();
  const path = `/events${query.size === 0 ? "" : `?${query}`}`;
  const { status, contentType, pieces } = await openAdmin(
    admin,
    path,
    timeoutMs,
    AbortSignal.any([signal, over.signal]),
  );
  const close = () => over.abort();
  try {
    if (status !== 200) throw refusalOf(admin, status, await bodyOf(admin, pieces, timeoutMs, over));
    const noEvents = (why: string) =>
      new WatchRefused("refused", `what ${admin.host} answers are no events (${why}): name the admin port in --admin`);
    if (!contentType.startsWith("text/event-stream")) {
      throw noEvents(`its content type is ${contentType.slice(0, 100) || "missing"}`);
    }
    const portions = portionsOf(pieces, noEvents);
    const next = (ms: number, late: () => AdminError) => within(ms, portions.next(), () => over.abort(late()));
    const first = await next(timeoutMs, () => noEvents(`none has come within ${timeoutMs / 1000} s`));
    if (first === undefined) {
      throw new WatchRefused("closing", `${admin.host} has ended its events before the first one`);
    }
    const program = programOf(admin, first[0]?.event, noEvents);
    const all = async function* () {
      const silent = () => new AdminError("failed", `${admin.host} is silent: it is stopped, or the way to it is gone`);
      try {
        yield first;
        for (;;) {
          const portion = await next(silentMs, silent);
          if (portion === undefined) return;
          yield portion;
        }
      } finally {
        close();
      }
    };
    return { program, portions: all() };
  } catch (error) {
    close();
    throw error;
  }
}

function programOf(
  admin: URL,
  hello: ReadEvent["event"] | undefined,
  noEvents: (why: string) => AdminError,
): EventStream["program"] {
  const program = textMember(memberOf(hello, "program"), "name");
  if (hello?.type !== "hello" || (program !== "proxy-server" && program !== "proxy-agent")) {
    throw noEvents("the first one is no hello of a proxy-server or proxy-agent");
  }
  if (hello["version"] === knownVersion) return program;
  const theirs = textMember(memberOf(hello, "program"), "version");
  throw new WatchRefused(
    "refused",
    `${admin.host} has events of version ${
      JSON.stringify(hello["version"])
    }, and this konnectivity knows version ${knownVersion}: use ` +
      `the one of ${program} ${theirs}`,
  );
}

/** What comes next; undefined at the end. @param late makes it fail, where it takes too long */
async function within<T>(ms: number, next: Promise<IteratorResult<T>>, late: () => void): Promise<T | undefined> {
  const done = new AbortController();
  const timer = pause(ms, done.signal).then(() => done.signal.aborted ? undefined : late());
  try {
    const { done: isEnd, value } = await next;
    return isEnd === true ? undefined : value;
  } finally {
    done.abort();
    await timer;
  }
}

async function* portionsOf(
  pieces: AsyncIterable<Uint8Array>,
  noEvents: (why: string) => AdminError,
): AsyncGenerator<readonly ReadEvent[]> {
  const parser = new EventParser();
  for await (const piece of pieces) {
    let portion: readonly ReadEvent[];
    try {
      portion = parser.push(piece).map(readEvent);
    } catch (error) {
      if (!(error instanceof EventFormError)) throw error;
      throw noEvents(error.message);
    }
    // A comment yields an empty portion: it says that the program is there.
    yield portion;
  }
}

/** What JSON lets stand in texts and a terminal acts on, or shows as another order of letters. */
const unsafe = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** @throws {EventFormError} */
export function readEvent(data: string): ReadEvent {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    throw new EventFormError("one of them is no JSON");
  }
  const object = objectOf(value);
  const type = textMember(value, "type");
  if (object === undefined || type === "") throw new EventFormError("one of them has no type");
  // Such signs stand in texts alone, where an escape means the same.
  const text = data.replaceAll(/[\r\n]/g, " ").replace(
    unsafe,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return { text, event: { ...object, type } };
}

async function bodyOf(
  admin: URL,
  pieces: AdminStream["pieces"],
  timeoutMs: number,
  over: AbortController,
): Promise<string> {
  const gone = () => over.abort(new AdminError("failed", `${admin.host} does not end its answer`));
  const read = async () => ({ done: false, value: await gathered(admin, pieces, refusalBytes) }) as const;
  return textOf(await within(timeoutMs, read(), gone) ?? []);
}

function refusalOf(admin: URL, status: number, body: string): WatchRefused {
  const said = body.trim().split("\n")[0]?.slice(0, 300) ?? "";
  const fail = (what: string) => new WatchRefused("refused", what);
  switch (status) {
    case 400:
      return fail(`${admin.host} refuses what is asked for: ${said}; ${whose}`);
    case 403:
      return fail(
        `${admin.host} refuses the host ${admin.hostname}: write its address, or localhost, in --admin (${said})`,
      );
    case 404:
      return fail(
        `${admin.host} has no /events: it is a health port, or the program is the original's or an older one of ours; ` +
          "name the admin port in --admin",
      );
    case 503:
      if (said.includes("as many watches")) {
        return new WatchRefused(
          "full",
          `${admin.host} has as many readers of its events as it may have (16): end another konnectivity tap, or close a ` +
            "page that shows them",
        );
      }
      return new WatchRefused("closing", `${admin.host} gives no events now: ${said}`);
    default:
      return fail(`${admin.host} answers with status ${status} where 200 is expected: ${said}; is it an admin port?`);
  }
}
