import assert from "node:assert/strict";
import { leakTest } from "../../../../tests/support/assert/leak_free.ts";
import { konnectivityPrograms } from "../konnectivity_flags.ts";
import { launchedPrograms, shownFlags } from "./all_programs.ts";
import { completion, manPages } from "./completions.ts";

const programs = [...launchedPrograms, ...konnectivityPrograms.values()];

async function run(program: string, args: readonly string[], input?: string) {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  }
  const { code, stdout, stderr } = await child.output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

leakTest(
  "bash completes launchers, subcommands, flags, their words, and behind -- the flags of what is checked",
  async () => {
    const cases: readonly (readonly [words: readonly string[], answer: string])[] = [
      [["konnectivity", ""], "status tap check diag completion --help --version"],
      [["konnectivity", "st"], "status"],
      [["/usr/bin/konnectivity", "status", "--o"], "--output"],
      [["konnectivity", "status", "-o", ""], "text json"],
      [["konnectivity", "status", "--output", "=", "j"], "json"],
      [["konnectivity", "status", "--output", "="], "text json"],
      [["konnectivity", "check", ""], "server agent"],
      [["konnectivity", "check", "--quiet", "a"], "agent"],
      [["konnectivity", "check", "-f", ""], ""],
      [["konnectivity", "check", "agent", "--", "--sync-i"], "--sync-interval --sync-interval-cap"],
      [["konnectivity", "check", "server", "--", "--cluster-c"], "--cluster-cert --cluster-ca-cert"],
      [["konnectivity", "diag", ""], "server agent"],
      [["konnectivity", "diag", "agent", "--", "--ca-c"], "--ca-cert"],
      [["konnectivity", "tap", "--outcome", ""], "ok failed"],
      [["konnectivity", "completion", "f"], "fish"],
      [["proxy-agent", "--link-protocol", ""], "auto grpc"],
      [["proxy-server", "--http2", "=", "r"], "runtime"],
      [["proxy-test-client", "--proxy-u"], "--proxy-uds"],
      [["http-test-server", "--server-p"], "--server-port"],
      [["proxy-server", "--no-such"], ""],
    ];
    const calls = cases.map(([words]) => {
      const list = words.map((word) => `'${word}'`).join(" ");
      return `COMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}; _konnectivity ${
        list.split(" ")[0]
      }; echo "\${COMPREPLY[*]}"`;
    });
    const { code, stdout, stderr } = await run("bash", ["--norc"], [completion("bash"), ...calls, ""].join("\n"));
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.deepEqual(
      stdout.replace(/\n$/, "").split("\n").map((line, at) => [cases[at]?.[0], line]),
      cases.map((each) => [...each]),
    );
    const registered = await run("bash", ["--norc"], `${completion("bash")}\ncomplete -p proxy-server konnectivity\n`);
    assert.match(registered.stdout, /^complete -o default -F _konnectivity proxy-server\ncomplete .* konnectivity\n$/);
  },
);

for (const shell of ["zsh", "fish"] as const) {
  Deno.test(`completions for ${shell} have every flag of every launcher, and close each quote`, () => {
    const text = completion(shell);
    for (const program of programs) {
      for (const { name } of shownFlags(program)) {
        assert.match(text, shell === "zsh" ? new RegExp(`'--${name}=?\\[`) : new RegExp(` -l ${name} `), name);
      }
    }
    const code = text.split("\n").filter((line) => !line.trimStart().startsWith("#"));
    for (const line of code) {
      // A quote within quotes is written '\'' for zsh and \' for fish.
      const plain = line.replaceAll(shell === "zsh" ? "'\\''" : /\\[\\']/g, "");
      assert.equal((plain.match(/'/g)?.length ?? 0) % 2, 0, line);
    }
  });
}

Deno.test("there is a page for each launcher and subcommand, which has each flag, and names the others", () => {
  const pages = manPages();
  assert.deepEqual(pages.map(({ file }) => file), [
    "man1/konnectivity.1",
    ...[...konnectivityPrograms.keys()].map((name) => `man1/konnectivity-${name}.1`),
    ...launchedPrograms.map(({ name }) => `man8/${name}.8`),
  ]);
  for (const program of programs) {
    const page = pages.find(({ file }) => file.includes(`/${program.name.replaceAll(" ", "-")}.`));
    const text = page?.text ?? assert.fail(program.name);
    for (const { name } of shownFlags(program)) {
      assert.ok(text.includes(`\\fB\\-\\-${name.replaceAll("-", "\\-")}\\fR`), `${program.name} --${name}`);
    }
    assert.match(text, /^\.TH [A-Z\\-]+ [18] "" "konnectivity \d+\.\d+\.\d+" "Konnectivity for Deno"\n\.SH NAME\n/);
  }
  for (const { file, text } of pages) {
    assert.match(text, /^[\x20-\x7e\n]*$/, `${file} is ASCII, which every roff reads`);
    for (const line of text.split("\n")) {
      // What begins with a dot is a macro, of those that every man(7) has.
      if (/^['.]/.test(line)) assert.match(line, /^\.(?:TH|SH|SS|TP|B|I|BR|RI|IP)\b/, `${file}: ${line}`);
    }
    const related = text.split(".SH SEE ALSO\n")[1]?.trimEnd().split("\n") ?? [];
    assert.equal(related.length, pages.length - 1, file);
  }
});

const claim = "groff renders each manual page without a warning";
if (await hasGroff()) {
  leakTest(claim, async () => {
    for (const { file, text } of manPages()) {
      const { code, stdout, stderr } = await run("groff", ["-man", "-ww", "-Tascii", "-P-cbou"], text);
      assert.deepEqual([code, stderr], [0, ""], file);
      assert.match(stdout, /^NAME\n/m, file);
    }
  });
} else {
  Deno.test({ name: `${claim} (skipped: groff is not here)`, ignore: true, fn: () => {} });
}

async function hasGroff(): Promise<boolean> {
  try {
    return (await run("groff", ["--version"])).code === 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
