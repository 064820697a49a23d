import { type Document, parseAllDocuments } from "yaml";

/** Text is no YAML that makes JSON. The message says where, and never quotes a line, which may hold a secret. */
export class YamlError extends Error {
  override readonly name = "YamlError";
  readonly code = "bad-yaml";
}

/**
 * The values of YAML text, one for each document, as Kubernetes reads them: it makes JSON of them first.
 * @throws {YamlError}
 */
export function yamlValues(text: string): readonly unknown[] {
  // The library would have the process warn of oddities, with the line.
  const documents = parseAllDocuments(text, { logLevel: "error" });
  return "empty" in documents ? [] : documents.map(valueOf);
}

/** The value of the first document; undefined where there is none. @throws {YamlError} */
export function yamlValue(text: string): unknown {
  const [value, ...more] = yamlValues(text);
  if (more.length > 0) throw new YamlError("it holds several documents");
  return value;
}

function valueOf(document: Document.Parsed): unknown {
  const [error] = document.errors;
  if (error !== undefined) throw new YamlError(`error at line ${error.linePos?.[0].line ?? "?"} (${error.code})`);
  try {
    const json = JSON.stringify(document.toJS());
    return json === undefined ? undefined : JSON.parse(json);
  } catch (cause) {
    throw new YamlError("it has aliases of nothing, of themselves, or of more than it holds", { cause });
  }
}
