import assert from "node:assert/strict";

/** The names of all members of an answer, however deep. */
function membersOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(membersOf);
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...membersOf(member)]);
}

/** Fails where the reference does not name what an answer of `/status` holds. */
export async function assertDocumented(answer: unknown): Promise<void> {
  const reference = await Deno.readTextFile(new URL("../../../docs/reference.md", import.meta.url));
  const section = reference.split("\n## Status\n")[1]?.split("\n## ")[0] ?? "";
  const missing = [...new Set(membersOf(answer))].filter((name) => !section.includes(`\`${name}\``));
  assert.deepEqual(missing, []);
}
