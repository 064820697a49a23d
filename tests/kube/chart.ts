import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type Manifest, parseManifests } from "./manifests.ts";
import type { Tool } from "./tools.ts";

/** Folder of the chart. */
export const chartFolder: string = fileURLToPath(new URL("../../charts/konnectivity", import.meta.url));

/** Folder of the tests' values, and of a chart that has this one as a dependency. */
export const chartCases: string = fileURLToPath(new URL("chart", import.meta.url));

/** helm's flag for one of the tests' files of values. */
export function inFolder(name: string): string[] {
  return [`--values=${chartCases}/values/${name}`];
}

/** Renders a chart, which is a folder or a package, into kube-system. */
export async function render(helm: Tool, chart: string, ...flags: readonly string[]): Promise<Manifest[]> {
  const { code, stdout, said } = await helm("template", "konnectivity", chart, "--namespace=kube-system", ...flags);
  assert.equal(code, 0, said);
  return parseManifests(stdout);
}

/** Renders the chart. */
export async function renderChart(helm: Tool, ...flags: readonly string[]): Promise<Manifest[]> {
  return await render(helm, chartFolder, ...flags);
}
