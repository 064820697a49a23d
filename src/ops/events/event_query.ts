import { shown } from "../status/status_page.ts";
import { StatusQueryError, textParameters } from "../status/status_query.ts";
import type { ProgramEvent } from "./program_event.ts";

/** What a program's events can be asked for by. */
export interface EventVocabulary {
  readonly types: readonly string[];
  /** Filters beside `type`, which all have one value. */
  readonly filters: readonly ("agent" | "server" | "client" | "destination" | "outcome")[];
}

const outcomes: readonly string[] = ["ok", "failed"];

/** What one watch asks for. */
export interface EventQuery {
  readonly types: ReadonlySet<string>;
  /** An event passes that has everything which the filters ask for. */
  matches(event: ProgramEvent): boolean;
}

/**
 * Reads the parameters of a request: `type`, repeated or with commas, and filters. `agent` and `server` are whole ids;
 * `client` (name or address) and `destination` are to hold the text; all of them as they are shown.
 * @throws {StatusQueryError}
 */
export function parseEventQuery(query: URLSearchParams, { types, filters }: EventVocabulary): EventQuery {
  const text = textParameters(query, ["type", ...filters], ["type"]);
  const asked = query.getAll("type").flatMap((value) => value.split(","));
  for (const type of asked) {
    if (types.includes(type)) continue;
    throw new StatusQueryError(
      `parameter type is to be one of ${types.join(", ")}, not ${JSON.stringify(shown(type))}`,
    );
  }
  const outcome = text("outcome");
  if (outcome !== "" && !outcomes.includes(outcome)) {
    throw new StatusQueryError(`parameter outcome is to be ok or failed, not ${JSON.stringify(shown(outcome))}`);
  }
  const [agent, server] = [shown(text("agent")), shown(text("server"))];
  const [client, destination] = [text("client"), text("destination")];
  const wanted: ReadonlySet<string> = new Set(asked.length === 0 ? types : asked);
  return {
    types: wanted,
    matches: (event) =>
      wanted.has(event.type) &&
      (agent === "" || event.agent === agent) &&
      (server === "" || event.server === server) &&
      (outcome === "" || event.outcome === outcome) &&
      (destination === "" || event.destination?.includes(destination) === true) &&
      (client === "" || event.client?.name.includes(client) === true ||
        event.client?.address.includes(client) === true),
  };
}
