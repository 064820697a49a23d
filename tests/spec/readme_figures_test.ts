import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);
const [readme, benchmarks] = await Promise.all(
  ["README.md", "BENCHMARKS.md"].map((path) => Deno.readTextFile(new URL(path, root))),
);

/** A figure of this project and its ratio to the original's; no ratio where the original failed. */
interface Figure {
  readonly ours: number;
  readonly ratio: number | undefined;
}

/** The cells of the rows of BENCHMARKS.md whose work and figure match. */
function figures(work: RegExp, figure: RegExp): Figure[] {
  const rows = (benchmarks ?? "").split("\n").map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
  const found = rows.filter(([name = "", what = ""]) => work.test(name) && figure.test(what));
  assert.ok(found.length > 0, `no row for ${work} ${figure}`);
  return found.flatMap((row) =>
    row.slice(2).map((cell) => {
      const [, ours = "", over = ""] = /^([\d,.]+) \((.*)\)$/.exec(cell) ?? [];
      return {
        ours: Number(ours.replace(",", "")),
        ratio: over.endsWith(" x") ? Number(over.slice(0, -2)) : undefined,
      };
    })
  );
}

function range(values: readonly (number | undefined)[], digits: number): [string, string] {
  const known = values.filter((value) => value !== undefined);
  return [Math.min(...known).toFixed(digits), Math.max(...known).toFixed(digits)];
}

function assertTold(told: string): void {
  assert.ok((readme ?? "").replaceAll(/\s+/g, " ").includes(told), `the README does not say "${told}"`);
}

Deno.test("the README's figures are those of BENCHMARKS.md", () => {
  const ping = figures(/^ping under 8 downloads$/, /^p50/);
  const [low, high] = range(ping.map(({ ours }) => ours / 1000), 1);
  assertTold(`a ping takes ${low} to ${high} ms (${range(ping.map(({ ratio }) => ratio), 2).join(" to ")} x)`);

  const stalled = figures(/^ping beside a stalled download$/, /^p50/);
  assertTold(`takes ${range(stalled.map(({ ours }) => ours / 1000), 1).join(" to ")} ms`);
  assert.deepEqual([stalled.length, stalled.filter(({ ratio }) => ratio === undefined).length], [4, 3]);
  assertTold("did not come back in three of four modes");

  for (const way of ["download", "upload"]) {
    const speed = figures(new RegExp(`^${way} x`), /^throughput/);
    assertTold(`${way}s ${range(speed.map(({ ratio }) => ratio), 2).join(" to ")} x`);
  }
  const cost = figures(/^(?:down|up)load x/, /CPU/).map(({ ratio }) => ratio ?? 0);
  const exceptions = figures(/^upload x/, /server CPU/).map(({ ratio }) => ratio ?? 0).filter((ratio) => ratio >= 1);
  assertTold(`at ${range(cost.filter((ratio) => ratio < 1), 2).join(" to ")} x of the CPU`);
  assert.equal(cost.filter((ratio) => ratio >= 1).length, exceptions.length);

  const start = figures(/^empty$/, /start, ms$/);
  assertTold(`a start takes ${range(start.map(({ ours }) => ours / 1000), 1)[1]} s`);
  assertTold(`(${range(start.map(({ ratio }) => ratio), 0).join(" to ")} x)`);
});
