import type { Context, Hono } from "hono";
import { metricsAnswer, type MetricsSource, movedPermanently, plainApp, refusal } from "./http_answers.ts";
import { addProfiling } from "./profiling.ts";

/** What the server's admin port shows. */
export interface ServerAdminOptions {
  readonly metrics: MetricsSource;
  /** `--enable-profiling`. */
  readonly profiling: boolean;
}

/** The server's admin port: `/metrics`, as on the health port, and profiles where they are enabled; any method. */
export function serverAdminApp({ metrics, profiling }: ServerAdminOptions): Hono {
  return adminApp((context) => metricsAnswer(context, metrics), profiling);
}

/** What the agent's admin port shows. */
export interface AgentAdminOptions {
  /** Where the health port listens; empty for every address of the machine. */
  readonly healthHost: string;
  readonly healthPort: number;
  /** `--enable-profiling`. */
  readonly profiling: boolean;
}

/** The agent's admin port: `/metrics` leads to the health port, and profiles where they are enabled; any method. */
export function agentAdminApp({ healthHost, healthPort, profiling }: AgentAdminOptions): Hono {
  return adminApp((context) => {
    if (!URL.canParse(context.req.url)) return refusal("400 Bad Request: malformed Host header", 400);
    const { hostname, search } = new URL(context.req.url);
    const host = anyAddress.has(healthHost) ? hostname : bracketed(healthHost);
    return movedPermanently(context, `//${host}:${healthPort}/metrics${search}`);
  }, profiling);
}

/** Addresses to listen on that nobody can connect to by name; the request's own host is used instead. */
const anyAddress: ReadonlySet<string> = new Set(["", "0.0.0.0", "::", "[::]"]);

function adminApp(metrics: (context: Context) => Response | Promise<Response>, profiling: boolean): Hono {
  const app = plainApp();
  app.all("/metrics", metrics);
  if (profiling) addProfiling(app);
  return app;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
