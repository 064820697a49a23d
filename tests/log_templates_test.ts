/**
 * The first argument of a log call is a template: `{name}` in it stands for a property. Text that came from elsewhere would be
 * read as one, so that braces in a user's value vanish or show other properties; it is handed on as a property instead:
 * `log.warn("{reason}", { reason })`. Each template is therefore a literal.
 */
import assert from "node:assert/strict";
import { walk } from "./support/assert/walk.ts";

const root = new URL("../", import.meta.url);

/** Calls of a logger, up to their first argument. */
const logCall =
  /\b(?:log|logger|getLogger\([^()]*\))(?:\s*\.(?:trace|debug|info|warn|warning|error|fatal)|\[\w+\])\s*[(`]\s*/g;

/** One or more literals without a value in them, joined by `+`, up to the end of the argument. */
const literal = /^(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\$]|\\.|\$(?!\{))*`)(?:\s*\+\s*|(?=\s*[,);]))/;

/** Templates that are literals elsewhere. */
const exceptions: readonly { readonly path: string; readonly argument: string }[] = [
  // A table of literals, above it.
  { path: "src/net/edge/admission.ts", argument: "texts[reason]" },
];

interface Finding {
  readonly path: string;
  readonly line: number;
  readonly argument: string;
}

function isLiteral(behind: string): boolean {
  for (let rest = behind;;) {
    const [part] = literal.exec(rest) ?? [];
    if (part === undefined) return false;
    if (!part.trimEnd().endsWith("+")) return true;
    rest = rest.slice(part.length);
  }
}

/** Log calls whose template is neither a literal nor a constant of the file that is one. */
function computedTemplates(path: string, text: string): Finding[] {
  const found: Finding[] = [];
  for (const match of text.matchAll(logCall)) {
    const tagged = match[0].trimEnd().endsWith("`");
    const behind = text.slice(match.index + match[0].length);
    const argument = tagged ? "`" : /^[^,)\n]*/.exec(behind)?.[0].trim() ?? "";
    const constant = new RegExp(`^const ${argument.replace(/\W/g, "\\$&")} =\\s*`, "m").exec(text);
    const value = constant === null ? behind : text.slice(constant.index + constant[0].length);
    if (!tagged && isLiteral(value)) continue;
    found.push({ path, line: text.slice(0, match.index).split("\n").length, argument });
  }
  return found;
}

async function findings(): Promise<Finding[]> {
  const paths = (await walk("src")).filter((path) => path.endsWith(".ts") && !path.endsWith("_test.ts"));
  const all = await Promise.all(
    ["main.ts", ...paths].map(async (path) => computedTemplates(path, await Deno.readTextFile(new URL(path, root)))),
  );
  return all.flat();
}

const isException = (finding: Finding, { path, argument }: typeof exceptions[number]) =>
  finding.path === path && finding.argument === argument;

Deno.test("every template of a log call is a literal, so that no value is read as a template", async () => {
  const computed = (await findings()).filter((each) => !exceptions.some((exception) => isException(each, exception)));
  assert.deepEqual(
    computed.map(({ path, line, argument }) => `${path}:${line}: ${argument}`),
    [],
    'hand text that is not a literal over as a property: log.warn("{reason}", { reason })',
  );
});

Deno.test("every exception is still one of a log call that is there", async () => {
  const all = await findings();
  assert.deepEqual(exceptions.filter((exception) => !all.some((each) => isException(each, exception))), []);
});

Deno.test("a template that is computed is found, however it is written, and a literal is not", () => {
  const computed = [
    "log.warn(warning);",
    "log.info(`to ${address}`, { a });",
    "log.info(`to ${address}`);",
    'log[level]("a " + what);',
    "log.error(error.message, { error });",
    'log.debug("a" + `${b}`);',
    "log.info`to ${address}`;",
    'getLogger(["a"]).warn(text);',
    "log.warn(\n  texts[reason],\n  { a },\n);",
    'log.warn(late ? "late" : text);',
    'const text = "a" + b;\nlog.warn(text);',
  ];
  for (const text of computed) assert.equal(computedTemplates("a.ts", text).length, 1, text);
  const literals = [
    'log.warn("{warning}", { warning });',
    'log.info("to {a}, said \\"b\\"" +\n    "and more", { a });',
    'log[level]("a", { b });',
    "log.info(`to $5`);",
    'const message =\n  "a" +\n  "b";\nlog.fatal(message);',
    "catalog.warn(text); dialog.error(text);",
  ];
  for (const text of literals) assert.deepEqual(computedTemplates("a.ts", text), [], text);
});
