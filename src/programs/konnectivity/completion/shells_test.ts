import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { completion } from "./completions.ts";

/** Beginnings of command lines, and what is offered at their ends. */
const cases: readonly (readonly [line: string, offered: string])[] = [
  ["konnectivity ", "check completion diag status tap"],
  ["konnectivity st", "status"],
  ["konnectivity status --o", "--output"],
  ["konnectivity status -o ", "json text"],
  ["konnectivity check ", "agent server"],
  ["konnectivity check agent -- --sync-i", "--sync-interval --sync-interval-cap"],
  ["konnectivity check server -- --cluster-c", "--cluster-ca-cert --cluster-cert"],
  ["konnectivity diag agent -- --ca-c", "--ca-cert"],
  ["konnectivity tap --outcome=", "failed ok"],
  ["konnectivity completion f", "fish"],
  ["proxy-agent --link-protocol=", "auto grpc"],
  ["proxy-test-client --proxy-u", "--proxy-uds"],
  ["proxy-server --no-such", ""],
];

const asksOfZsh = fileURLToPath(new URL("../../../../tests/support/processes/zsh_offers.zsh", import.meta.url));

/** @returns what the shell offers at the end of each line, a line each */
const offers: Readonly<Record<"zsh" | "fish", (folder: string) => Promise<string>>> = {
  zsh: async (folder) => {
    await Deno.writeTextFile(`${folder}/_konnectivity`, completion("zsh"));
    return await outputOf("zsh", ["-f", asksOfZsh, folder], folder, cases.map(([line]) => `${line}\n`).join(""));
  },
  fish: async (folder) => {
    await Deno.writeTextFile(`${folder}/konnectivity.fish`, completion("fish"));
    // A completion and what it means, with a tab between.
    const asks = cases.map(([line]) =>
      `echo (complete -C '${line}' | string split -f1 \\t | string replace -r '^--.*=' '')`
    );
    const script = ["source konnectivity.fish", ...asks].join("\n");
    return await outputOf("fish", ["--no-config", "-c", script], folder);
  },
};

for (const shell of ["zsh", "fish"] as const) {
  const claim =
    `${shell} completes launchers, subcommands, flags, their words, and behind -- the flags of what is checked`;
  const run = async () => {
    const folder = await Deno.makeTempDir();
    try {
      const answers = (await offers[shell](folder)).replace(/\n$/, "").split("\n");
      assert.deepEqual(
        answers.map((words, at) => [cases[at]?.[0], words.split(" ").toSorted().join(" ")]),
        cases.map((each) => [...each]),
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
  if (await isHere(shell)) leakTest(claim, run);
  else if (Deno.env.get("CI") === "true") Deno.test(claim, () => Promise.reject(new Error(`${shell} is not here`)));
  else Deno.test.ignore(`${claim} (skipped: ${shell} is not here)`, () => {});
}

/** @param home where the shell looks for its files, and writes them */
async function outputOf(shell: string, args: readonly string[], home: string, input = ""): Promise<string> {
  // A shell that waits for more than it gets is ended: 124.
  const child = new Deno.Command("timeout", {
    args: ["30", shell, ...args],
    cwd: home,
    env: { HOME: home, TERM: "dumb" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assert.deepEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout);
}

async function isHere(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["--version"], stdout: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
