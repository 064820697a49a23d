const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** An input as text; bytes that are no UTF-8 become U+FFFD. */
export function textOf(input: Uint8Array): string {
  return decoder.decode(input);
}

/** An input as text of one character a byte, as HTTP has it. */
export function latin1Of(input: Uint8Array): string {
  let text = "";
  for (const byte of input) text += String.fromCharCode(byte);
  return text;
}

/** A result, or the error where it is one that is declared. @throws any other error */
export function attempt<T>(
  act: () => T,
  ...declared: readonly (abstract new (...args: never[]) => Error)[]
): T | Error {
  try {
    return act();
  } catch (error) {
    if (error instanceof Error && declared.some((kind) => error instanceof kind)) return error;
    throw error;
  }
}

/** Fails with a text that is only made then. */
export function holds(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${what()}`);
}

/** Names that each object has from its prototype: a table that is a plain object finds them too. */
export const prototypeNames: readonly string[] = ["__proto__", "constructor", "toString", "valueOf", "hasOwnProperty"];
