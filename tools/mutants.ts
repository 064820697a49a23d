/** A change of a source that a test should notice. */
export interface Mutant {
  /** From where to where in the text. */
  readonly start: number;
  readonly end: number;
  readonly replacement: string;
  /** Its line, from 1. */
  readonly line: number;
}

/** What stands in the place of an operator or a word. */
const replacements: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/ < /g, " <= "],
  [/ <= /g, " < "],
  [/ > /g, " >= "],
  [/ >= /g, " > "],
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ \?\? /g, " && "],
  [/ \+ /g, " - "],
  [/ - /g, " + "],
  [/ \* /g, " / "],
  [/ \/ /g, " * "],
  [/ \+= /g, " -= "],
  [/ -= /g, " += "],
  [/ << /g, " >> "],
  [/ >> /g, " << "],
  [/ & /g, " | "],
  [/ \| (?=[\d(a-z])(?!(?:undefined|null|string|number|bigint|boolean|void|unknown|readonly)\b)/g, " & "],
  [/\+\+/g, "--"],
  [/\btrue\b/g, "false"],
  [/\bfalse\b/g, "true"],
  [/\bMath\.min\b/g, "Math.max"],
  [/\bMath\.max\b/g, "Math.min"],
  [/\bcontinue;/g, "break;"],
  [/\bbreak;/g, ""],
  [/\bif \((?=[!\w#(])/g, "if (!!0 && "],
];

/** Statements of one line that may be left out: calls, but of the log, assignments, and returns of nothing. */
const statement =
  /^( +)((?!log\.)(?:this|[a-z]\w*)[\w.#?]*(?:\(.*\)| (?:[-+|&^*/]|\?\?)?= .*|\+\+|--)|return|throw .*);$/gm;
/** A number above one; names, and members of other texts, are none. */
const number = /(?<![\w.#$])(\d+)(?![\w.:]|_)/g;
/** What only the compiler sees. */
const typeLine =
  /^\s*(?:import|export (?:type|interface)|type|interface|readonly [\w#]+[?!]?:|[\w#]+\??: [A-Z(].*;$|\| |& |@|extends|implements)/;

/** A text of the same length in which comments, strings, and regular expressions are blanks. */
export function masked(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|(?<=[(,=:?&|!] ?|return )\/(?![*/])(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/g,
    (found) => found.replace(/[^\n]/g, " "),
  );
}

/** All mutants of a source, in its order. */
export function mutantsOf(text: string): Mutant[] {
  const bare = masked(text);
  const found: Mutant[] = [];
  const lineAt = (at: number) => {
    const start = bare.lastIndexOf("\n", at - 1) + 1;
    const end = bare.indexOf("\n", at);
    return bare.slice(start, end < 0 ? undefined : end);
  };
  const add = (start: number, end: number, replacement: string) => {
    if (typeLine.test(lineAt(start))) return;
    found.push({ start, end, replacement, line: text.slice(0, start).split("\n").length });
  };
  for (const [pattern, replacement] of replacements) {
    for (const { index, 0: match } of bare.matchAll(pattern)) add(index, index + match.length, replacement);
  }
  for (const { index, 1: digits = "" } of bare.matchAll(number)) {
    add(index, index + digits.length, String(Number(digits) + 1));
  }
  for (const { index, 0: match, 1: indent = "" } of bare.matchAll(statement)) {
    add(index + indent.length, index + match.length, ";");
  }
  return found.sort((a, b) => a.start - b.start);
}

/** The text with a mutant in it. */
export function mutated(text: string, { start, end, replacement }: Mutant): string {
  return text.slice(0, start) + replacement + text.slice(end);
}
