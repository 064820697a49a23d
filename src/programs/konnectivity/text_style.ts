import type { Env } from "../../flags/program.ts";

/** How text is written to whoever reads it. */
export interface TextStyle {
  readonly colour: boolean;
  /** Signs beyond ASCII may be written. */
  readonly unicode: boolean;
}

/** Variables that say how the terminal is to be written to. */
export const styleVariables: readonly string[] = ["NO_COLOR", "TERM", "LC_ALL", "LC_CTYPE", "LANG"];

/**
 * Colours for a terminal alone, and not where NO_COLOR (no-color.org) has any value or the terminal knows none; signs
 * beyond ASCII where the locale is of UTF-8.
 */
export function styleFor(isTerminal: boolean, env: Env): TextStyle {
  const locale = env("LC_ALL") || env("LC_CTYPE") || env("LANG") || "";
  return {
    colour: isTerminal && !env("NO_COLOR") && env("TERM") !== "dumb",
    unicode: /utf-?8/i.test(locale),
  };
}

const codes = { green: 32, yellow: 33, red: 31, grey: 90 } as const;

/** Text in a colour where there are colours. */
export function coloured(text: string, colour: keyof typeof codes, style: TextStyle): string {
  return style.colour ? `\x1b[${codes[colour]}m${text}\x1b[0m` : text;
}

/**
 * Text that others chose, on one line: what a terminal would act on, or would show as another order of letters, is
 * written as an escape, and so is what the locale cannot show.
 */
export function printable(text: string, { unicode }: TextStyle): string {
  // deno-lint-ignore no-control-regex -- these are what a terminal acts on
  const unsafe = unicode ? /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g : /[^\x20-\x7e]/gu;
  return text.replace(unsafe, (sign) => {
    const number = sign.codePointAt(0) ?? 0;
    return number < 0x100 ? `\\x${number.toString(16).padStart(2, "0")}` : `\\u{${number.toString(16)}}`;
  });
}
