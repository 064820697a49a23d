import { AdminError } from "../status/admin_client.ts";
import type { TarEntry } from "./tar_writer.ts";

/** One thing that is gathered. */
export interface DiagPart {
  /** For people: `status of 127.0.0.1:8095`. */
  readonly what: string;
  /** What is said before it begins, where it takes long or is to be warned of. */
  readonly before?: string;
  /** @throws why it cannot be had */
  readonly gather: (signal: AbortSignal) => Promise<readonly TarEntry[]>;
}

/** Why a part cannot be had, with what to do. */
export class MissingError extends Error {
  override readonly name = "MissingError";
  readonly code = "missing";
}

/** Why a part is missing, for people. */
export function whyMissing(error: unknown): string {
  if (error instanceof MissingError || error instanceof AdminError) return error.message;
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** A file of text. */
export function textFile(name: string, text: string): TarEntry {
  return { name, pieces: [new TextEncoder().encode(text)] };
}

/** A file of JSON that people read, too. */
export function jsonFile(name: string, value: unknown): TarEntry {
  return textFile(name, `${JSON.stringify(value, null, 2)}\n`);
}
