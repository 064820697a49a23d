import { coloured, printable, type TextStyle } from "../text_style.ts";
import type { Health, StatusLine } from "./status_line.ts";

const colours = { Healthy: "green", Degraded: "yellow", Down: "red", Inactive: "grey" } as const;

/** As wide as the longest of them, and two blanks. */
const healthColumns = 10;

/** A name that is longer moves the text of its own line alone. */
const longestName = 44;

interface Row {
  readonly health?: Health;
  /** Branches of the tree. */
  readonly lead: string;
  readonly name: string;
  readonly text: string;
}

/** A status as lines of text: health, then the tree, and what to do below each line that is not as it should be. */
export function statusText(line: StatusLine, style: TextStyle): string[] {
  const rows = [...rowsOf(line, "", "", style)];
  const widths = rows.map(({ lead, name }) => lead.length + name.length).filter((width) => width <= longestName);
  const column = Math.max(0, ...widths) + 2;
  return rows.map(({ health, lead, name, text }) => {
    if (health === undefined) return `${" ".repeat(healthColumns)}${lead}${coloured(text, "yellow", style)}`;
    const word = coloured(health, colours[health], style) + " ".repeat(healthColumns - health.length);
    const gap = " ".repeat(Math.max(2, column - lead.length - name.length));
    return `${word}${lead}${name}${gap}${text}`.trimEnd();
  });
}

function* rowsOf(line: StatusLine, lead: string, below: string, style: TextStyle): Generator<Row> {
  const { health, name, text, action, children = [] } = line;
  const signs = style.unicode
    ? { fork: "├─ ", last: "└─ ", through: "│  ", arrow: "→ " }
    : { fork: "|- ", last: "`- ", through: "|  ", arrow: "-> " };
  yield { health, lead, name: printable(name, style), text: printable(text, style) };
  if (action !== undefined) {
    const branch = children.length > 0 ? signs.through : "   ";
    yield { lead: below + branch, name: "", text: signs.arrow + printable(action, style) };
  }
  for (const [at, child] of children.entries()) {
    const isLast = at === children.length - 1;
    yield* rowsOf(child, below + (isLast ? signs.last : signs.fork), below + (isLast ? "   " : signs.through), style);
  }
}
