import { getLogger } from "@logtape/logtape";
import type { Hono } from "hono";
import { metricsAnswer, type MetricsSource, plainApp, plainText } from "./http_answers.ts";

const log = getLogger(["ops", "health"]);

/** Says why a program should get no traffic now; undefined when it should. */
export type Readiness = () => string | undefined;

/** One of the checks that a program's readiness is made of, as `?verbose` lists them. */
export interface ReadinessCheck {
  readonly name: string;
  /** Undefined: it passes. */
  readonly failure: string | undefined;
  /** Whether the program is not ready where it fails. */
  readonly counts: boolean;
}

/** What a health port shows. */
export interface HealthOptions {
  /** Says why the program should be started anew. Absent: what answers is alive. */
  readonly liveness?: () => Promise<string | undefined>;
  readonly readiness: Readiness;
  readonly metrics: MetricsSource;
}

/** What the server's health port shows. */
export interface ServerHealthOptions extends HealthOptions {
  /** What `?verbose` lists; absent: it is answered as without, as the original does it. */
  readonly checks?: () => readonly ReadinessCheck[];
}

/**
 * The server's health port: `/healthz`, `/readyz` with its old name `/ready`, and `/metrics`; any method. With `?verbose`
 * (any value) the checks are listed where there are some.
 */
export function serverHealthApp({ checks, ...options }: ServerHealthOptions): Hono {
  return healthApp(options, (reason, verbose) => {
    const text = verbose && checks !== undefined ? checksText(checks(), reason === undefined) : reason ?? "ok";
    return plainText(text, reason === undefined ? 200 : 500);
  });
}

/** The checks in the form of Kubernetes' own health pages. */
function checksText(checks: readonly ReadinessCheck[], passed: boolean): string {
  const lines = checks.map(({ name, failure, counts }) => {
    if (failure === undefined) return `[+]${name} ok\n`;
    return `[-]${name} failed${counts ? "" : " (does not count by itself)"}: ${failure}\n`;
  });
  return `${lines.join("")}check ${passed ? "passed" : "failed"}\n`;
}

/**
 * The agent's health port: as the server's, but the readiness checks are listed with `?verbose` (any value) or when one
 * fails, and a failed one is 503.
 */
export function agentHealthApp(options: HealthOptions): Hono {
  return healthApp(options, (reason, verbose) => {
    if (reason !== undefined) return plainText(`[+]ping ok\n[-]server-connected failed: ${reason}\n`, 503);
    return plainText(verbose ? "[+]ping ok\n[+]server-connected ok\ncheck passed\n" : "ok");
  });
}

function healthApp(
  { liveness, readiness, metrics }: HealthOptions,
  answer: (reason: string | undefined, verbose: boolean) => Response,
): Hono {
  const app = plainApp();
  let last: string | undefined;
  app.all("/healthz", async () => {
    const reason = await liveness?.();
    return reason === undefined ? plainText("ok") : plainText(reason, 500);
  });
  app.on("ALL", ["/readyz", "/ready"], (context) => {
    const reason = readiness();
    // Probes come every few seconds; only the change is news.
    if (reason !== last) {
      if (reason === undefined) log.info("readiness probes succeed again");
      else log.info("readiness probes fail: {reason}", { reason });
      last = reason;
    }
    return answer(reason, context.req.query("verbose") !== undefined);
  });
  app.all("/metrics", (context) => metricsAnswer(context, metrics));
  return app;
}
