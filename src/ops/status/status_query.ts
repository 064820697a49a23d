/** Which part of a table is asked for. */
export interface PageQuery {
  /** Entries that are passed over: those of earlier pages. */
  readonly from: number;
  /** Most entries of the answer. */
  readonly size: number;
}

/** What a request for `/status` asks for. */
export interface StatusQuery {
  readonly agents: PageQuery;
  readonly links: PageQuery;
  readonly tunnels: PageQuery;
  readonly dials: PageQuery;
  /** Only what belongs to the agent with this id. Empty: every agent; so for those that follow. */
  readonly agent: string;
  /** Only what belongs to the server with this id. */
  readonly server: string;
  /** Only clients whose name or address holds this text. */
  readonly client: string;
  /** Only destinations that hold this text. */
  readonly destination: string;
}

/** A table that pages are taken of. */
type Table = "agents" | "links" | "tunnels" | "dials";

/** A request for `/status` or `/events` asks for what there is not. Its message is for whoever sent it. */
export class StatusQueryError extends Error {
  override readonly name = "StatusQueryError";
  readonly code = "bad-status-query";
}

const defaultSize = 100;

/** A page of so many entries is written in some milliseconds. */
const largestSize = 1_000;

const parameters: readonly string[] = [
  ...["agents", "links", "tunnels", "dials"].flatMap((table) => [table, `${table}_from`]),
  ...["agent", "server", "client", "destination"],
];

/**
 * Reads the parameters of a request: for each table its name with the size of a page (100 unless told, 0 for none, at most
 * 1,000) and `TABLE_from` with how many entries are passed over; and filters.
 * @throws {StatusQueryError}
 */
export function parseStatusQuery(query: URLSearchParams): StatusQuery {
  const text = textParameters(query, parameters);
  const page = (table: Table): PageQuery => ({
    from: numberOf(query, `${table}_from`, 0, Number.MAX_SAFE_INTEGER),
    size: numberOf(query, table, defaultSize, largestSize),
  });
  return {
    agents: page("agents"),
    links: page("links"),
    tunnels: page("tunnels"),
    dials: page("dials"),
    agent: text("agent"),
    server: text("server"),
    client: text("client"),
    destination: text("destination"),
  };
}

/**
 * Checks that a query has known parameters alone.
 * @param repeatable those that may be there more than once
 * @returns what reads one; empty where it is not there
 * @throws {StatusQueryError}
 */
export function textParameters(
  query: URLSearchParams,
  known: readonly string[],
  repeatable: readonly string[] = [],
): (name: string) => string {
  const seen = new Set<string>();
  for (const name of query.keys()) {
    if (!known.includes(name)) {
      throw new StatusQueryError(`unknown parameter ${JSON.stringify(name)}; there are ${known.join(", ")}`);
    }
    if (seen.has(name) && !repeatable.includes(name)) {
      throw new StatusQueryError(`parameter ${name} is there twice`);
    }
    seen.add(name);
  }
  return (name) => query.get(name) ?? "";
}

function numberOf(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const value = query.get(name);
  if (value === null) return otherwise;
  const number = /^\d{1,16}$/.test(value) ? Number(value) : NaN;
  if (!(number <= most)) {
    throw new StatusQueryError(`parameter ${name} is to be a number from 0 to ${most}, not ${JSON.stringify(value)}`);
  }
  return number;
}
