import type { AgentStatus } from "../../../ops/status/agent_status.ts";
import type { ServerStatus } from "../../../ops/status/server_status.ts";
import type { StatusPage } from "../../../ops/status/status_page.ts";
import { memberOf, objectOf, textMember } from "../../../kube/client/json_value.ts";
import { AdminError, askAdmin, askFirst } from "./admin_client.ts";

/** The status of either program, with all the pages of its tables that were asked for. */
export type WholeStatus =
  | { readonly kind: "server"; readonly status: ServerStatus }
  | { readonly kind: "agent"; readonly status: AgentStatus };

/** What is read of a program. */
export interface StatusRequest {
  /** The first where something listens is asked. */
  readonly admin: readonly URL[];
  readonly filters: Readonly<Record<string, string>>;
  /** Tunnels and dials that are read, each; Infinity: all. Links are read all, since a summary counts them. */
  readonly limit: number;
  readonly timeoutMs: number;
}

/** The largest page that `/status` takes. */
const pageSize = 1_000;

/** The form of the answer that is known here. */
const knownVersion = 1;

const tables = ["agents", "links", "tunnels", "dials"] as const;
type Table = typeof tables[number];

/** The tables of a status that has been read. */
type Tables = { readonly [Name in Table]?: StatusPage<unknown> };

/**
 * Reads the status of a program, page by page.
 * @throws {AdminError} with what to do; the signal's reason when it aborts
 */
export async function readStatus(request: StatusRequest, signal: AbortSignal): Promise<WholeStatus> {
  const { limit } = request;
  const sizes = (read: Partial<Record<Table, number>>) =>
    Object.fromEntries(tables.flatMap((name) => {
      const from = read[name];
      if (from === undefined) return [[name, "0"]];
      const most = name === "agents" || name === "links" ? pageSize : Math.min(pageSize, limit - from);
      return [[name, String(most)], [`${name}_from`, String(from)]];
    }));
  const first = await ask(request, sizes({ agents: 0, links: 0, tunnels: 0, dials: 0 }), signal);
  const whole = { ...first.status };
  for (;;) {
    const rest: Partial<Record<Table, number>> = {};
    for (const name of tables) {
      const page = tableOf(whole, name);
      if (page === undefined) continue;
      const wanted = name === "agents" || name === "links" ? page.matched : Math.min(page.matched, limit);
      if (page.items.length < wanted) rest[name] = page.items.length;
    }
    if (Object.keys(rest).length === 0) break;
    const next = (await ask({ ...request, admin: [first.admin] }, sizes(rest), signal)).status;
    let grown = false;
    for (const name of tables) {
      const before = tableOf(whole, name);
      const page = tableOf(next, name);
      if (rest[name] === undefined || before === undefined || page === undefined || page.items.length === 0) continue;
      whole[name] = { ...page, from: 0, items: [...before.items, ...page.items] };
      grown = true;
    }
    // Entries have gone meanwhile: what is there now has been read.
    if (!grown) break;
  }
  // Its form was checked, as far as it is a promise: `version` says which members there are.
  return first.kind === "server"
    ? { kind: "server", status: whole as unknown as ServerStatus }
    : { kind: "agent", status: whole as unknown as AgentStatus };
}

type Answer = Record<string, unknown>;

function tableOf(status: Tables & Answer, name: Table): StatusPage<unknown> | undefined {
  return status[name];
}

interface Asked {
  readonly admin: URL;
  readonly kind: WholeStatus["kind"];
  readonly status: Tables & Answer;
}

async function ask(
  { admin, filters, timeoutMs }: StatusRequest,
  pages: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Asked> {
  const path = `/status?${new URLSearchParams({ ...pages, ...filters })}`;
  return await askFirst(admin, async (each) => {
    const { status, body } = await askAdmin(each, path, timeoutMs, signal);
    return { admin: each, ...statusOf(each, status, body) };
  });
}

function statusOf(admin: URL, code: number, body: string): Pick<Asked, "kind" | "status"> {
  const fail = (what: string) => new AdminError("failed", what);
  const said = body.trim().split("\n")[0]?.slice(0, 300) ?? "";
  switch (code) {
    case 200:
      break;
    case 400:
      throw fail(
        `${admin.host} refuses what is asked for: ${said}; use a konnectivity of the same version as the program`,
      );
    case 403:
      throw fail(
        `${admin.host} refuses the host ${admin.hostname}: write its address, or localhost, in --admin (${said})`,
      );
    case 404:
      throw fail(
        `${admin.host} has no /status: it is a health port, or the program is the original's or an older one of ours; ` +
          "name the admin port in --admin",
      );
    default:
      throw fail(`${admin.host} answers with status ${code} where 200 is expected: ${said}; is it an admin port?`);
  }
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    value = undefined;
  }
  const program = memberOf(value, "program");
  const name = textMember(program, "name");
  const version = memberOf(value, "version");
  if (
    objectOf(value) === undefined || typeof version !== "number" || (name !== "proxy-server" && name !== "proxy-agent")
  ) {
    throw fail(
      `what ${admin.host} answers is no status of a proxy-server or proxy-agent: name the admin port in --admin`,
    );
  }
  if (version !== knownVersion) {
    throw fail(
      `${admin.host} has a status of version ${version}, and this konnectivity knows version ${knownVersion}: use the one ` +
        `of ${name} ${textMember(program, "version")}`,
    );
  }
  for (const table of tables) {
    const page = memberOf(value, table);
    if (page !== undefined && !Array.isArray(memberOf(page, "items"))) {
      throw fail(`the status of ${admin.host} has no list of ${table}`);
    }
  }
  return { kind: name === "proxy-server" ? "server" : "agent", status: value as Tables & Answer };
}
