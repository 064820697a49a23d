/**
 * The words of a command line as a shell splits it: quotes, backslashes, lines that go on, comments. Variables stay as
 * they are written, and what follows a redirection or an operator is left out.
 */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? "";
    if (sign === "\\") {
      at++;
      if (text[at] !== "\n") word = (word ?? "") + (text[at] ?? "");
    } else if (sign === "'" || sign === '"') {
      const end = closing(text, at, sign);
      const quoted = text.slice(at + 1, end);
      word = (word ?? "") +
        (sign === '"' ? quoted.replace(/\\(["\\$`]|\n)/g, (_, each: string) => each === "\n" ? "" : each) : quoted);
      at = end;
    } else if (/\s/.test(sign)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (sign === "#" && word === undefined) {
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    } else if (/[;|&<>]/.test(sign)) {
      // `2>` and `1>>` begin with a digit that is none of the program's words.
      if (word !== undefined && !(/[<>]/.test(sign) && /^\d$/.test(word))) words.push(word);
      return words;
    } else {
      word = (word ?? "") + sign;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

function closing(text: string, open: number, sign: string): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === "\\" && sign === '"') at++;
    else if (text[at] === sign) return at;
  }
  return text.length;
}
