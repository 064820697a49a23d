/** Commands that a chapter of a document shows, in their order. */
export interface Chapter {
  readonly title: string;
  readonly commands: readonly string[];
}

/**
 * The chapters of a Markdown text that show commands: the lines that are indented by four spaces, without the indent and
 * what follows a ` #`.
 */
export function chaptersWithCommands(markdown: string): Chapter[] {
  const chapters: { title: string; commands: string[] }[] = [];
  for (const line of markdown.split("\n")) {
    const title = /^#+ (.+)$/.exec(line)?.[1];
    if (title !== undefined) chapters.push({ title, commands: [] });
    const command = /^ {4}(\S.*?)(?: +#.*)?$/.exec(line)?.[1];
    if (command !== undefined) chapters.at(-1)?.commands.push(command);
  }
  return chapters.filter(({ commands }) => commands.length > 0);
}

/** The command lines of a Markdown text's blocks of shell, in their order, each of one line. */
export function shellCommands(markdown: string): string[] {
  return [...markdown.matchAll(/^( *)```sh\n([^]*?)^\1```$/gm)].flatMap(([, , block = ""]) =>
    block.split("\n").map((line) => line.trim()).filter((line) => line !== "")
  );
}
