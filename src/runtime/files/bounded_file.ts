import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { ownerOf } from "../../faults/owned.ts";
import type { Clock } from "../clock.ts";

/** What a file may have at most, in bytes: a hundred times what the certificates of all of the web's authorities take. */
const maxBytes = 16 * 1024 * 1024;

/** How long a pipe is waited for, in milliseconds, and how often it is asked. */
const pipeMs = 2_000;
const pipePollMs = 20;

const portionBytes = 64 * 1024;

/**
 * Reads a file of text that a flag names: certificates, a token, a kubeconfig. Whatever it is, that ends. A device may go on
 * for ever; and the system opens a pipe only once somebody writes to it, in one of the threads that files share, so that
 * here nothing waits for it to be opened.
 * @throws what is wrong with it: the runtime's errors, and an Error where it is too large or a pipe stays empty
 */
export async function readBoundedFile(path: string, clock: Clock): Promise<string> {
  const { isFifo } = await Deno.stat(path);
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = isFifo ? await fromPipe(file, clock) : await toEnd(file, []);
    return new TextDecoder().decode(bytes);
  } finally {
    await file.close();
  }
}

async function fromPipe(file: FileHandle, clock: Clock): Promise<Uint8Array> {
  const portions: Uint8Array[] = [];
  const until = clock.now() + pipeMs;
  for (;;) {
    try {
      const bytes = await toEnd(file, portions);
      if (bytes.length > 0) return bytes;
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
    }
    if (clock.now() > until) {
      throw new Error(`it is a pipe to which nobody wrote to the end in ${pipeMs / 1000} s`);
    }
    await new Promise<void>((resolve) => void clock.after(pipePollMs, resolve, ownerOf("certificates")));
  }
}

/** @param portions what was read before; what is read is added, also where reading fails */
async function toEnd(file: FileHandle, portions: Uint8Array[]): Promise<Uint8Array> {
  for (let total = 0;; total = portions.reduce((sum, { length }) => sum + length, 0)) {
    if (total > maxBytes) throw new Error(`it has more than ${maxBytes / 1024 / 1024} MiB`);
    const portion = new Uint8Array(portionBytes);
    const { bytesRead } = await file.read(portion, 0, portion.length, null);
    if (bytesRead === 0) break;
    portions.push(portion.subarray(0, bytesRead));
  }
  const joined = new Uint8Array(portions.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const portion of portions) {
    joined.set(portion, at);
    at += portion.length;
  }
  return joined;
}
