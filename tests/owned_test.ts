/**
 * Every callback that the runtime calls has an owner (`src/faults/`): what it throws ends that owner, and not the process.
 * A new one that has none fails here.
 */
import assert from "node:assert/strict";
import { ownedExceptions } from "./support/assert/owned_exceptions.ts";
import { walk } from "./support/assert/walk.ts";

const root = new URL("../", import.meta.url);

/** Where callbacks are handed to the runtime; what follows each is the callback. */
const registrations: readonly RegExp[] = [
  /\.(?:on|once|prependListener|prependOnceListener|addListener|addEventListener)\(\s*(?:"[\w-]+"|kind|signal|event),\s*/g,
  /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\(\s*/g,
  /\bDeno\.addSignalListener\(\s*\w+,\s*|\bDeno\.addSignalListener\("\w+",\s*/g,
  /\b(?:onmessage|onerror)\s*=\s*/g,
];

/** Work that nobody waits for: its rejection would end the process. */
const floating: readonly RegExp[] = [
  // A statement that is a chain of promises, or says so.
  /^\s*void (?!0\b)[^;]*/gm,
  /^\s*(?!follow\b)(?:[\w.#]+(?:\([^\n]*\))?)\.then\([^;]*/gm,
];

/** Callbacks that are owned, or too small to throw. */
const sound: readonly RegExp[] = [
  /^owned(?:By|Async)?\(/,
  /^\(\) => \{\}/,
  /^\([\w, :]*\) =>\s*\{?\s*(?:const owner = [^;]*;\s*)?(?:guard|follow)\(/,
  /^\(\) => (?:void )?[\w.#]+\.delete\([\w.]+\)\)/,
  /^\(\) => (?:clearTimeout|clearInterval)\([\w.#]+\)\)/,
  // Settles a promise, of which whoever waits hears; drops a connection; aborts a signal, whose listeners are owned.
  /^(?:\([\w: ]*\) => )?(?:[\w#.]+\.)?(?:resolve|reject|fulfil)\b/,
  /^\(\) => [\w.#?]+\.(?:destroy|abort)\(/,
  /^owned|^\(\) => \w+ = true\)/,
];

/** The text without comments, as long as it was. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/[^\n]*/g, (comment) => comment.replace(/[^\n]/g, " "));
}

interface Finding {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

function unownedIn(path: string, text: string): Finding[] {
  const found: Finding[] = [];
  const add = (at: number, what: string) => {
    found.push({
      path,
      line: text.slice(0, at).split("\n").length,
      text: what.replace(/\s+/g, " ").slice(0, 120).trim(),
    });
  };
  for (const pattern of registrations) {
    for (const match of text.matchAll(pattern)) {
      const behind = text.slice(match.index + match[0].length);
      if (sound.some((form) => form.test(behind))) continue;
      const name = /^(?:this\.|[A-Z]\w+\.)?(#?\w+)\s*[,)]/.exec(behind)?.[1];
      // A function of the file that is owned where it is made.
      if (name !== undefined && new RegExp(`(?:const |readonly )${name} =\\s*owned`).test(text)) continue;
      add(match.index, match[0] + behind.slice(0, 100));
    }
  }
  for (const pattern of floating) {
    for (const [statement] of text.matchAll(pattern)) add(text.indexOf(statement), statement.trim());
  }
  return found;
}

function excepted({ path, text }: Finding): boolean {
  return ownedExceptions.some((exception) => path === exception.path && text.includes(exception.text));
}

async function findings(): Promise<Finding[]> {
  const paths = (await walk("src")).filter((path) => path.endsWith(".ts") && !path.endsWith("_test.ts"));
  const all = await Promise.all(paths.map(async (path) => {
    return unownedIn(path, code(await Deno.readTextFile(new URL(path, root))));
  }));
  return all.flat();
}

Deno.test("every callback of the runtime has an owner, or a reason to have none", async () => {
  const unowned = (await findings()).filter((finding) => !excepted(finding));
  assert.deepEqual(
    unowned.map(({ path, line, text }) => `${path}:${line}: ${text}`),
    [],
    "hand them over with owned(), guard() or follow() of src/faults/owned.ts, or say in owned_exceptions.ts why not",
  );
});

Deno.test("every reason to have no owner is still one of a callback that is there", async () => {
  const all = await findings();
  const stale = ownedExceptions.filter(({ path, text }) =>
    !all.some((finding) => finding.path === path && finding.text.includes(text))
  );
  assert.deepEqual(stale.map(({ path, text }) => `${path}: ${text}`), []);
});

Deno.test("a callback without an owner is found, whatever registers it", () => {
  const unowned = [
    'socket.on("data", (bytes) => this.read(bytes));',
    'server.prependListener("secureConnection", (socket) => {',
    'signal.addEventListener("abort", onAbort);',
    "setTimeout(() => this.look(), 10);",
    "queueMicrotask(this.#flush);",
    'Deno.addSignalListener("SIGHUP", reopen);',
    "  void this.serve(call);",
    "  promise.then((result) => this.use(result));",
  ];
  for (const text of unowned) assert.equal(unownedIn("a.ts", text).length, 1, text);
  const owned = [
    'socket.on("data", owned(this, (bytes) => this.read(bytes)));',
    'socket.on("error", () => {});',
    'const onAbort = owned(owner, () => stop());\nsignal.addEventListener("abort", onAbort);',
    'server.on("connect", (message, socket) => {\n  guard(connectionOwner(socket), () => serve(socket));',
    "setTimeout(owned(this, () => this.look()), 10);",
    "return void socket.destroy();",
  ];
  for (const text of owned) assert.deepEqual(unownedIn("a.ts", text), [], text);
});
