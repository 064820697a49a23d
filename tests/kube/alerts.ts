import { parse } from "yaml";
import { listMember, memberOf, objectOf, textMember } from "../../src/kube/client/json_value.ts";
import { examples } from "./manifests.ts";

/** An alert of the rules. */
export interface Alert {
  readonly name: string;
  readonly expression: string;
  readonly severity: string;
  readonly annotations: Readonly<Record<string, unknown>>;
}

/** The alerts of what has groups of rules: a file of Prometheus, or a PrometheusRule's spec. */
export function alertsOf(rules: unknown): Alert[] {
  return listMember(rules, "groups").flatMap((group) =>
    listMember(group, "rules").map((rule) => ({
      name: textMember(rule, "alert"),
      expression: textMember(rule, "expr"),
      severity: textMember(memberOf(rule, "labels"), "severity"),
      annotations: objectOf(memberOf(rule, "annotations")) ?? {},
    }))
  );
}

/** The alerts as they are written by hand. */
export async function writtenAlerts(): Promise<Alert[]> {
  return alertsOf(parse(await Deno.readTextFile(`${examples}/kubernetes/monitoring/rules.yaml`)));
}

/** A query of the dashboard. */
export interface Query {
  readonly panel: string;
  readonly expression: string;
  readonly legend: string;
}

/** The queries of the dashboard. */
export async function dashboardQueries(): Promise<Query[]> {
  const path = `${examples}/kubernetes/monitoring/grafana-dashboard.json`;
  const dashboard: unknown = JSON.parse(await Deno.readTextFile(path));
  return listMember(dashboard, "panels").flatMap((panel) =>
    listMember(panel, "targets").map((target) => ({
      panel: textMember(panel, "title"),
      expression: textMember(target, "expr"),
      legend: textMember(target, "legendFormat"),
    }))
  );
}

/** Words of PromQL that are no metrics and have no parenthesis behind them. */
const keywords = new Set(["and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"]);

/** The metrics that an expression of PromQL asks for. */
export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/"(?:\\.|[^"\\])*"/g, '""')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, " ")
    .replace(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ");
  const names = [...bare.matchAll(/\b[a-zA-Z_]\w*\b(?!\s*\()/g)].map(([name]) => name);
  return [...new Set(names.filter((name) => !keywords.has(name)))];
}

/** The labels that an expression of PromQL selects or groups by. */
export function labelsIn(expression: string): string[] {
  const grouped = [...expression.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap(([, names = ""]) =>
    names.split(",").map((name) => name.trim())
  );
  const selected = [...expression.matchAll(/\{([^}]*)\}/g)].flatMap(([, inside = ""]) =>
    [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, name = ""]) => name)
  );
  return [...new Set([...grouped, ...selected].filter((name) => name !== ""))];
}
