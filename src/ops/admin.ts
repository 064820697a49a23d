import type { Context, Hono } from "hono";
import type { EventHub } from "./events/event_hub.ts";
import { addEvents } from "./events/event_pages.ts";
import { metricsAnswer, type MetricsSource, movedPermanently, plainApp, refusal } from "./http_answers.ts";
import { isLoopbackHost } from "./loopback_host.ts";
import { addPage } from "./page/page_routes.ts";
import { addProfiling, type ProfilingOptions } from "./profiling.ts";
import { addStatus, type StatusSource } from "./status/status_pages.ts";

/** Profiles as an admin port's flags have them. */
export interface AdminProfiles {
  /** Where the admin port listens; empty for every address of the machine. */
  readonly adminBindAddress: string;
  readonly enableProfiling: boolean;
  readonly enableHeapSnapshots: boolean;
}

/** What an admin port serves of profiles; undefined: nothing. */
export function profilingOptions(
  { adminBindAddress, enableProfiling, enableHeapSnapshots }: AdminProfiles,
): ProfilingOptions | undefined {
  if (!enableProfiling) return undefined;
  return { heapSnapshots: enableHeapSnapshots, loopbackOnly: isLoopbackHost(adminBindAddress) };
}

/** What the server's admin port shows. */
export interface ServerAdminOptions {
  readonly metrics: MetricsSource;
  readonly status: StatusSource;
  readonly events: EventHub;
  /** Undefined without `--enable-profiling`. */
  readonly profiling: ProfilingOptions | undefined;
}

/** The server's admin port: `/metrics`, as on the health port, the page, `/status`, `/events`, and profiles where they are enabled. */
export function serverAdminApp({ metrics, ...pages }: ServerAdminOptions): Hono {
  return adminApp((context) => metricsAnswer(context, metrics), pages);
}

/** What the agent's admin port shows. */
export interface AgentAdminOptions {
  /** Where the health port listens; empty for every address of the machine. */
  readonly healthHost: string;
  readonly healthPort: number;
  readonly status: StatusSource;
  readonly events: EventHub;
  /** Undefined without `--enable-profiling`. */
  readonly profiling: ProfilingOptions | undefined;
}

/** The agent's admin port: `/metrics` leads to the health port, the page, `/status`, `/events`, and profiles where they are enabled. */
export function agentAdminApp({ healthHost, healthPort, ...pages }: AgentAdminOptions): Hono {
  return adminApp(
    (context) => {
      if (!URL.canParse(context.req.url)) return refusal("400 Bad Request: malformed Host header", 400);
      const { hostname, search } = new URL(context.req.url);
      const host = anyAddress.has(healthHost) ? hostname : bracketed(healthHost);
      return movedPermanently(context, `//${host}:${healthPort}/metrics${search}`);
    },
    pages,
  );
}

/** Addresses to listen on that nobody can connect to by name; the request's own host is used instead. */
const anyAddress: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "[::]"]);

function adminApp(
  metrics: (context: Context) => Response | Promise<Response>,
  { status, events, profiling }: Pick<ServerAdminOptions, "status" | "events" | "profiling">,
): Hono {
  const app = plainApp();
  app.all("/metrics", metrics);
  addStatus(app, status);
  addEvents(app, events);
  addPage(app, status);
  if (profiling !== undefined) addProfiling(app, profiling);
  return app;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
