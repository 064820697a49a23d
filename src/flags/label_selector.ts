import { FlagValueError, quote } from "./flag_error.ts";

const namePattern = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const subdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const maxNameLength = 63;
const maxSubdomainLength = 253;

const operators: ReadonlySet<string> = new Set(["in", "notin", "=", "==", "!=", "gt", "lt", ">", "<"]);
const punctuation = /^(==|!=|[=<>(),!])/;

/**
 * Checks a Kubernetes label selector, all of its grammar: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`,
 * `a>1`, joined by commas. Empty selects everything.
 * @returns the text itself
 * @throws {FlagValueError} saying what was found and what was expected
 */
export function checkLabelSelector(text: string): string {
  const tokens = new Tokens(text);
  if (tokens.at("")) return text;
  if (!tokens.at("!") && !tokens.isWord) throw tokens.unexpected("!, identifier, or 'end of string'");
  for (;;) {
    checkRequirement(tokens);
    if (tokens.at("")) return text;
    if (!tokens.at(",")) throw tokens.unexpected("',' or 'end of string'");
    tokens.take();
    if (!tokens.at("!") && !tokens.isWord) throw tokens.unexpected("identifier after ','");
  }
}

function checkRequirement(tokens: Tokens): void {
  const forbids = tokens.at("!");
  if (forbids) tokens.take();
  if (!tokens.isWord) throw requirementError(tokens.unexpected("identifier").message);
  checkLabelKey(tokens.take());
  if (forbids || tokens.at("") || tokens.at(",")) return;
  const operator = tokens.next;
  if (!operators.has(operator)) {
    throw requirementError(tokens.unexpected("in, notin, =, ==, !=, gt, lt").message);
  }
  tokens.take();
  if (operator === "in" || operator === "notin") return checkSet(tokens);
  const value = tokens.isWord ? tokens.take() : "";
  if (operator !== "=" && operator !== "==" && operator !== "!=" && !/^[-+]?\d+$/.test(value)) {
    throw requirementError(`${quote(value)}: for 'Gt', 'Lt' operators, the value must be an integer`);
  }
  checkLabelValue(value);
}

function checkSet(tokens: Tokens): void {
  if (!tokens.at("(")) throw requirementError(tokens.unexpected("'('").message);
  tokens.take();
  for (;;) {
    if (tokens.isWord) checkLabelValue(tokens.take());
    const next = tokens.next;
    if (next !== "," && next !== ")") throw requirementError(tokens.unexpected("',' or ')'").message);
    tokens.take();
    if (next === ")") return;
  }
}

/** A key: a name, perhaps with a DNS name and a slash before it. */
function checkLabelKey(key: string): void {
  const [name, prefix, ...more] = key.split("/").reverse();
  if (more.length > 0) throw requirementError(`${quote(key)}: a label key holds at most one '/'`);
  if (prefix !== undefined && (prefix.length > maxSubdomainLength || !subdomainPattern.test(prefix))) {
    throw requirementError(`${quote(key)}: prefix part must be a DNS name in lower case`);
  }
  if (name === undefined || name.length > maxNameLength || !namePattern.test(name)) {
    throw requirementError(
      `${quote(key)}: name part must consist of at most ${maxNameLength} alphanumeric characters, '-', '_' or '.', ` +
        `and must start and end with an alphanumeric character`,
    );
  }
}

function checkLabelValue(value: string): void {
  if (value === "" || (value.length <= maxNameLength && namePattern.test(value))) return;
  throw requirementError(
    `${quote(value)}: a valid label must be empty or consist of at most ${maxNameLength} alphanumeric characters, ` +
      `'-', '_' or '.', and must start and end with an alphanumeric character`,
  );
}

function requirementError(what: string): FlagValueError {
  return new FlagValueError(`unable to parse requirement: ${what}`);
}

/** Words and punctuation of a selector, one looked at ahead. */
class Tokens {
  #rest: string;
  /** The token to come; empty at the end. */
  next = "";

  constructor(text: string) {
    this.#rest = text;
    this.take();
  }

  /** Whether the token to come is this one; empty: whether none is left. */
  at(token: string): boolean {
    return this.next === token;
  }

  /** Whether the token to come is a key, value or operator in letters. */
  get isWord(): boolean {
    return this.next !== "" && !punctuation.test(this.next);
  }

  /** Passes on the token that `next` shows. */
  take(): string {
    const taken = this.next;
    const rest = this.#rest.replace(/^[ \t\r\n]+/, "");
    this.next = punctuation.exec(rest)?.[0] ?? /^[^ \t\r\n=<>(),!]*/.exec(rest)?.[0] ?? "";
    this.#rest = rest.slice(this.next.length);
    return taken;
  }

  unexpected(expected: string): FlagValueError {
    return new FlagValueError(`found '${this.next}', expected: ${expected}`);
  }
}
