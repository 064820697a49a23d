/** A name on the wire has 255 bytes at most: 253 characters, and the final dot. */
const maxNameLength = 253;

/**
 * The full names under which a name is looked for, in this order: with the suffixes of the search list, and as it is,
 * which comes first where it has `ndots` dots. A name with a final dot is full already.
 */
export function searchNames(name: string, search: readonly string[], ndots: number): string[] {
  // Names of the Tor network are not to be seen by name servers (RFC 7686).
  const asked = (names: string[]) =>
    names.filter((each) => each.length <= maxNameLength + 1 && !/(^|\.)onion\.$/i.test(each));
  if (name.endsWith(".")) return asked([name]);
  const own = `${name}.`;
  const suffixed = search.map((suffix) => own + suffix);
  const dots = name.split(".").length - 1;
  return asked(dots >= ndots ? [own, ...suffixed] : [...suffixed, own]);
}
