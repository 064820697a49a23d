import type { Session } from "node:inspector/promises";
import { owned, ownerOf } from "../faults/owned.ts";

/** Why there is no profile: another one is being made, the sandbox does not allow it, or the runtime failed. */
export type ProfilerErrorCode = "busy" | "refused" | "failed";

/** A profile could not be made. */
export class ProfilerError extends Error {
  override readonly name = "ProfilerError";
  readonly code: ProfilerErrorCode;

  constructor(code: ProfilerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A profile that is being recorded. */
export interface Recording {
  /**
   * Ends the recording after some milliseconds, or at once when the signal aborts.
   * @returns the profile as JSON; undefined when aborted
   * @throws {ProfilerError} `failed`
   */
  finish(afterMs: number, signal: AbortSignal): Promise<string | undefined>;
}

/** What can be recorded over a time. */
export type RecordingKind = "cpu" | "allocations";

/**
 * Makes profiles of this process's JavaScript runtime, one at a time, through the inspector. They are what browsers'
 * developer tools and editors open: `.cpuprofile`, `.heapprofile`, `.heapsnapshot`. Opens no port. Needs `--allow-sys`:
 * the runtime has no narrower permission for the inspector.
 */
export class Profiler {
  #busy = false;
  /** The inspector's answers do not keep the event loop; this does, while there is a session. */
  #holdsLoop: ReturnType<typeof setInterval> | undefined;

  /** Starts to record. @throws {ProfilerError} */
  async record(kind: RecordingKind): Promise<Recording> {
    const session = await this.#open();
    try {
      if (kind === "cpu") {
        await session.post("Profiler.enable");
        await session.post("Profiler.start");
      } else {
        await session.post("HeapProfiler.startSampling");
      }
    } catch (error) {
      this.#close(session);
      throw failure(error);
    }
    return { finish: (afterMs, signal) => this.#finish(session, kind, afterMs, signal) };
  }

  /**
   * Takes a snapshot of the heap, in pieces of its JSON text. The process does nothing else meanwhile: about a second
   * for each 50 MB of heap.
   * @throws {ProfilerError}
   */
  async heapSnapshot(): Promise<string[]> {
    const session = await this.#open();
    try {
      const chunks: string[] = [];
      session.on("HeapProfiler.addHeapSnapshotChunk", ({ params }) => chunks.push(params.chunk));
      await session.post("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
      return chunks;
    } catch (error) {
      throw failure(error);
    } finally {
      this.#close(session);
    }
  }

  async #open(): Promise<Session> {
    if (this.#busy) throw new ProfilerError("busy", "another profile is being made, try again later");
    this.#busy = true;
    try {
      // Asked first, because on a terminal the runtime would ask the user.
      const { state } = await Deno.permissions.query({ name: "sys" });
      if (state !== "granted") {
        throw new ProfilerError("refused", "the permission sandbox does not allow profiles, run with --allow-sys");
      }
      // Loaded when it is first needed, as few programs ever are profiled.
      const inspector = await import("node:inspector/promises");
      const session = new inspector.Session();
      session.connect();
      this.#holdsLoop = setInterval(() => {}, 60_000);
      return session;
    } catch (error) {
      this.#busy = false;
      throw failure(error);
    }
  }

  #close(session: Session): void {
    session.disconnect();
    clearInterval(this.#holdsLoop);
    this.#busy = false;
  }

  async #finish(
    session: Session,
    kind: RecordingKind,
    afterMs: number,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    try {
      await pause(afterMs, signal);
      const { profile } = kind === "cpu"
        ? await session.post("Profiler.stop")
        : await session.post("HeapProfiler.stopSampling");
      return signal.aborted ? undefined : JSON.stringify(profile);
    } catch (error) {
      throw failure(error);
    } finally {
      this.#close(session);
    }
  }
}

function failure(error: unknown): ProfilerError {
  if (error instanceof ProfilerError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new ProfilerError("failed", `the runtime made no profile: ${why}`, { cause: error });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = owned(ownerOf("request", () => resolve()), () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    });
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
