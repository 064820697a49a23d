import ts from "typescript";

/** A module's source with a counter at each branch, on the lines where it was. */
export interface Instrumented {
  readonly text: string;
  /** How many counters it has, from the first one that it was given. */
  readonly counters: number;
  /** Strings and numbers that stand in the source: what its comparisons wait for. */
  readonly literals: readonly (string | number)[];
}

interface Insertion {
  readonly at: number;
  readonly text: string;
}

/** Longer strings are messages for people; no input is compared with them. */
const longestLiteral = 32;

/**
 * Puts a counter at the start of each function, branch, loop and case, so that each input shows which of them it
 * reached and how often. A loop or function that runs for too long is ended by its counter.
 * @param firstCounter the number of the module's first counter
 */
export function instrument(source: string, firstCounter: number): Instrumented {
  const file = ts.createSourceFile("module.ts", source, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
  const points = new Points(source, file, firstCounter);
  points.visit(file);
  return points.result();
}

class Points {
  readonly #source: string;
  readonly #file: ts.SourceFile;
  readonly #first: number;
  #counters = 0;
  readonly #insertions: Insertion[] = [];
  readonly #literals = new Set<string | number>();

  constructor(source: string, file: ts.SourceFile, first: number) {
    this.#source = source;
    this.#file = file;
    this.#first = first;
  }

  result(): Instrumented {
    // The order in which they were found decides among those at one place.
    const ordered = this.#insertions.toSorted((a, b) => a.at - b.at);
    let text = "const __c=globalThis.__fuzz.counters,__o=globalThis.__fuzz.overrun;";
    let at = 0;
    for (const insertion of ordered) {
      text += this.#source.slice(at, insertion.at) + insertion.text;
      at = insertion.at;
    }
    return { text: text + this.#source.slice(at), counters: this.#counters, literals: [...this.#literals] };
  }

  visit(node: ts.Node): void {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isExportDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isIfStatement(node)) return this.#ifStatement(node);
    if (ts.isConditionalExpression(node)) return this.#conditional(node);
    if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) return this.#shortCircuit(node);
    if (ts.isIterationStatement(node, false)) return this.#loop(node);
    if (ts.isCaseOrDefaultClause(node)) return this.#clause(node);
    if (ts.isFunctionLike(node)) return this.#functionLike(node);
    if (ts.isCatchClause(node)) this.#insert(node.block.getStart() + 1, this.#count());
    if (ts.isStringLiteralLike(node)) this.#literal(node.text);
    if (ts.isNumericLiteral(node)) this.#literal(Number(node.text));
    this.#children(node);
  }

  #children(node: ts.Node): void {
    ts.forEachChild(node, (child) => this.visit(child));
  }

  #ifStatement(node: ts.IfStatement): void {
    this.visit(node.expression);
    this.#statement(node.thenStatement, this.#count());
    if (node.elseStatement === undefined) this.#insert(node.thenStatement.end, ` else{${this.#count()}}`);
    else this.#statement(node.elseStatement, this.#count());
  }

  #conditional(node: ts.ConditionalExpression): void {
    this.visit(node.condition);
    this.#expression(node.whenTrue);
    this.#expression(node.whenFalse);
  }

  #shortCircuit(node: ts.BinaryExpression): void {
    this.visit(node.left);
    this.#expression(node.right);
  }

  #loop(node: ts.IterationStatement): void {
    ts.forEachChild(node, (child) => {
      if (child === node.statement) this.#statement(node.statement, this.#bounded());
      else this.visit(child);
    });
  }

  #clause(node: ts.CaseOrDefaultClause): void {
    if (ts.isCaseClause(node)) this.visit(node.expression);
    const colon = node.getChildren(this.#file).find(({ kind }) => kind === ts.SyntaxKind.ColonToken);
    if (colon !== undefined) this.#insert(colon.end, this.#count());
    for (const statement of node.statements) this.visit(statement);
  }

  #functionLike(node: ts.SignatureDeclaration): void {
    const body = "body" in node ? node.body : undefined;
    for (const parameter of node.parameters) this.visit(parameter);
    if (body === undefined) return;
    if (!ts.isBlock(body)) return this.#expression(body);
    this.#insert(body.getStart() + 1, this.#bounded());
    this.#children(body);
  }

  /** A statement that becomes a block with a counter in it. */
  #statement(node: ts.Statement, counter: string): void {
    if (ts.isBlock(node)) {
      this.#insert(node.getStart() + 1, counter);
      return this.#children(node);
    }
    this.#insert(node.getStart(), `{${counter}`);
    this.visit(node);
    this.#insert(node.end, "}");
  }

  #expression(node: ts.Expression): void {
    this.#insert(node.getStart(), `(__c[${this.#next()}]++,`);
    this.visit(node);
    this.#insert(node.end, ")");
  }

  #count(): string {
    return `__c[${this.#next()}]++;`;
  }

  #bounded(): string {
    const counter = this.#next();
    return `if(++__c[${counter}]>1e7)__o(${counter});`;
  }

  #next(): number {
    return this.#first + this.#counters++;
  }

  #insert(at: number, text: string): void {
    this.#insertions.push({ at, text });
  }

  #literal(value: string | number): void {
    if (value !== "" && String(value).length <= longestLiteral) this.#literals.add(value);
  }
}

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  switch (kind) {
    case ts.SyntaxKind.AmpersandAmpersandToken:
    case ts.SyntaxKind.BarBarToken:
    case ts.SyntaxKind.QuestionQuestionToken:
    case ts.SyntaxKind.AmpersandAmpersandEqualsToken:
    case ts.SyntaxKind.BarBarEqualsToken:
    case ts.SyntaxKind.QuestionQuestionEqualsToken:
      return true;
    default:
      return false;
  }
}
