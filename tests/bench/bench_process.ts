import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const bench = fileURLToPath(new URL("bench.ts", import.meta.url));

/** @param folder holds what it writes, its temporary files too, so that its processes can be told from others' */
export async function runBench(
  folder: string,
  ...args: string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", bench, ...args],
    env: { TMPDIR: folder },
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

/** Text between the tags of an SVG, without which it does not end well. */
export function assertSvg(svg: string): void {
  assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[^>]*>/);
  assert.match(svg, /<\/svg>\n$/);
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
}
