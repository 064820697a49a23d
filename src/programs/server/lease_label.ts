/** `--lease-label` is no list of labels. */
export class LabelsError extends Error {
  override readonly name = "LabelsError";
  readonly code = "bad-labels";
}

/** Reads `key=value,key=value`; blanks around each are dropped, of a key given twice the last counts. @throws {LabelsError} */
export function parseLabels(text: string): Map<string, string> {
  if (text === "") throw new LabelsError("empty string provided");
  return new Map(
    text.split(",").map((pair) => {
      const [key, value, ...more] = pair.split("=");
      if (key === undefined || value === undefined || more.length > 0) {
        throw new LabelsError(`invalid label format: ${pair}`);
      }
      return [key.trim(), value.trim()];
    }),
  );
}
