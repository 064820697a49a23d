import { goTrue } from "../wire/identifiers.ts";
import { FlagValueError, quote } from "./flag_error.ts";

const goFalse: ReadonlySet<string> = new Set(["0", "f", "F", "false", "False", "FALSE"]);

/** @throws {FlagValueError} in the words of Go's strconv.ParseBool */
export function parseBool(text: string): boolean {
  if (goTrue.has(text)) return true;
  if (goFalse.has(text)) return false;
  throw new FlagValueError(`strconv.ParseBool: parsing ${quote(text)}: invalid syntax`);
}

/** Base prefixes of Go's integer literals; a leading zero alone means octal. */
const literal = /^(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/;

/** The value of Go's integer literal without a sign; undefined: none. */
function parseLiteral(text: string): number | undefined {
  if (!literal.test(text)) return undefined;
  const digits = text.replaceAll("_", "");
  return /^0[0-7]/.test(digits) ? Number(`0o${digits.slice(1)}`) : Number(digits);
}

/**
 * Reads a whole number as Go's ParseInt does with base 0: `8090`, `-1`, `0x1f9a`, `0b11`, `1_000`. Numbers that a
 * JavaScript number cannot hold exactly are out of range.
 * @throws {FlagValueError} in the words of strconv.ParseInt
 */
export function parseInteger(text: string): number {
  const value = parseLiteral(/^[-+]/.test(text) ? text.slice(1) : text);
  if (value === undefined) throw syntaxError("ParseInt", text);
  if (!Number.isSafeInteger(value)) throw rangeError("ParseInt", text);
  return text.startsWith("-") ? -value + 0 : value;
}

/** The same without a sign. @throws {FlagValueError} in the words of strconv.ParseUint */
export function parseUnsigned(text: string): number {
  const value = parseLiteral(text);
  if (value === undefined) throw syntaxError("ParseUint", text);
  if (!Number.isSafeInteger(value)) throw rangeError("ParseUint", text);
  return value;
}

/** Reads a decimal 32-bit number, as klog's levels are. @throws {FlagValueError} in the words of strconv.ParseInt */
export function parseInt32(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) throw syntaxError("ParseInt", text);
  const value = Number(text) + 0; // + 0: never -0
  if (value < -(2 ** 31) || value > 2 ** 31 - 1) throw rangeError("ParseInt", text);
  return value;
}

/** Reads a decimal fraction of single precision. @throws {FlagValueError} in the words of strconv.ParseFloat */
export function parseFloat32(text: string): number {
  if (/^\+?inf(inity)?$/i.test(text)) return Infinity;
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) throw syntaxError("ParseFloat", text);
  const value = Math.fround(Number(text)) + 0; // + 0: never -0
  if (!Number.isFinite(value)) throw rangeError("ParseFloat", text);
  return value;
}

function syntaxError(parser: string, text: string): FlagValueError {
  return new FlagValueError(`strconv.${parser}: parsing ${quote(text)}: invalid syntax`);
}

function rangeError(parser: string, text: string): FlagValueError {
  return new FlagValueError(`strconv.${parser}: parsing ${quote(text)}: value out of range`);
}
