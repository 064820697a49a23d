import { getLogger } from "@logtape/logtape";
import type { Hono } from "hono";
import { metricsAnswer, type MetricsSource, plainApp, plainText } from "./http_answers.ts";

const log = getLogger(["ops", "health"]);

/** Says why a program should get no traffic now; undefined when it should. */
export type Readiness = () => string | undefined;

/** What a health port shows. */
export interface HealthOptions {
  /** Says why the program should be started anew. Absent: what answers is alive. */
  readonly liveness?: () => Promise<string | undefined>;
  readonly readiness: Readiness;
  readonly metrics: MetricsSource;
}

/** The server's health port: `/healthz`, `/readyz` with its old name `/ready`, and `/metrics`; any method. */
export function serverHealthApp(options: HealthOptions): Hono {
  return healthApp(options, (reason) => reason === undefined ? plainText("ok") : plainText(reason, 500));
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
