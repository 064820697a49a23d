import type { Child } from "hono/jsx";
import type { AgentStatus } from "../status/agent_status.ts";
import type { ServerStatus } from "../status/server_status.ts";
import {
  agentColumns,
  type Column,
  endpointColumns,
  failureColumns,
  linkColumns,
  routeColumns,
  tunnelColumns,
} from "./texts/columns.js";
import { type Finding, findings, isServer, timeOf, worst } from "./texts/findings.js";
import { facts, titleOf } from "./texts/headline.js";

/** Entries of each table that the summary shows. */
export const summaryRows = 20;

/** The page of a program: a summary of its status, which the browser's script replaces with what goes on. */
export function pageText(status: ServerStatus | AgentStatus): string {
  return `<!doctype html>${<Page status={status} />}`;
}

function Page({ status }: { status: ServerStatus | AgentStatus }) {
  const { program } = status;
  const all = findings(status);
  const id = isServer(status) ? status.server.id : status.agent.id;
  return (
    <html lang="en" data-program={program.name} data-version={program.version}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{titleOf(status, worst(all))}</title>
        <link rel="icon" href="/page/browser/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/page/browser/page.css" />
        <script type="module" src="/page/browser/main.js"></script>
      </head>
      <body>
        <a class="skip" href="#content">Skip to content</a>
        <header>
          <h1>
            <span class={`dot ${worst(all)}`} id="dot" aria-hidden="true"></span>
            <span class="name">{id}</span> <small>{`${program.name} ${program.version}`}</small>
          </h1>
          <p class="connection" id="connection">
            A picture of the moment when it was loaded; load it again for a newer one.
          </p>
          <button type="button" id="pause" aria-pressed="false" hidden>Pause</button>
        </header>
        <p class="unseen" id="announcements" role="status"></p>
        <main id="content" tabindex={-1}>
          <div id="live" hidden></div>
          <div id="summary">
            <Attention all={all} />
            <dl class="facts">
              {facts(status).map(([name, value]) => (
                <div key={name}>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </div>
              ))}
            </dl>
            <Tables status={status} />
          </div>
        </main>
        <footer>
          <p>
            Read-only. The same as data: <a href="/status">/status</a>,{" "}
            <a href="/metrics">/metrics</a>, and /events, which goes on.
          </p>
        </footer>
      </body>
    </html>
  );
}

function Attention({ all }: { all: readonly Finding[] }) {
  return (
    <section aria-labelledby="attention">
      <h2 id="attention">What needs attention</h2>
      {all.length === 0 ? <p class="well">Nothing.</p> : (
        <ul class="findings">
          {all.map(({ level, what, why, todo }) => (
            <li class={level} key={what}>
              <strong>{what}</strong>
              {why === undefined ? null : <span class="why">{why}</span>}
              <span class="todo">{todo}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Tables({ status }: { status: ServerStatus | AgentStatus }): Child {
  const now = timeOf(status);
  const failures = (columns: typeof failureColumns) => (
    <Table title="Failures" entries={status.failures} total={status.failures.length} columns={columns} now={now} />
  );
  if (isServer(status)) {
    const { agents, tunnels } = status;
    return (
      <>
        <Table title="Agents" entries={agents.items} total={agents.total} columns={agentColumns} now={now} />
        <Table title="Tunnels" entries={tunnels.items} total={tunnels.total} columns={tunnelColumns} now={now} />
        {failures(failureColumns)}
      </>
    );
  }
  const { routes, links, tunnels } = status;
  return (
    <>
      <Table title="Ways to servers" entries={routes} total={routes.length} columns={routeColumns} now={now} />
      <Table title="Links" entries={links.items} total={links.total} columns={linkColumns} now={now} />
      <Table title="Tunnels" entries={tunnels.items} total={tunnels.total} columns={endpointColumns} now={now} />
      {failures(failureColumns.filter(({ key }) => key !== "client"))}
    </>
  );
}

interface TableProps<T> {
  readonly title: string;
  readonly entries: readonly T[];
  /** Of the whole table. */
  readonly total: number;
  readonly columns: readonly Column<T>[];
  readonly now: number;
}

function Table<T>({ title, entries, total, columns, now }: TableProps<T>) {
  if (total === 0) return null;
  const rows = entries.slice(0, summaryRows);
  const id = `summary-${title.toLowerCase().replaceAll(" ", "-")}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{title} {rows.length < total ? <small>{`the first ${rows.length} of ${total}`}</small> : null}</h2>
      <div class="scroll" tabindex={0} role="region" aria-labelledby={id}>
        <table>
          <thead>
            <tr>
              {columns.map(({ title, numeric }) => <th scope="col" class={numeric ? "n" : ""} key={title}>{title}</th>)}
            </tr>
          </thead>
          <tbody>
            {rows.map((entry, at) => (
              <tr key={at}>
                {columns.map(({ title, numeric, wide, text }) => (
                  <td key={title} data-title={title} class={numeric ? "n" : wide ? "wide" : ""}>{text(entry, now)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
