import { getLogger } from "@logtape/logtape";
import { fault, type Owner } from "../../faults/fault.ts";
import { guard, ownerOf } from "../../faults/owned.ts";
import { X509Certificate } from "node:crypto";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import type { Purpose } from "../../runtime/tls/certificate_chain.ts";
import { certificateWarnings } from "./certificate_warnings.ts";
import { type TlsFiles, tlsFilesReader, type TlsMaterial } from "./tls_files.ts";

const log = getLogger(["net", "tls"]);

/** How often the files are read again, in milliseconds. */
const defaultIntervalMs = 5_000;

/** Certificate files that are followed as they change. */
export interface WatchedTls extends AsyncDisposable {
  /** The last good set. */
  readonly material: TlsMaterial;
  /** When the first of its certificates ends, in seconds since the epoch; undefined without a certificate of its own. */
  readonly expirySeconds: number | undefined;
  /** Calls back with each new good set. Returns a function that stops it. */
  onChange(listener: (material: TlsMaterial) => void): () => void;
}

/**
 * Reads certificate files and follows them: their contents are read again at intervals, which sees every way of replacing
 * them (in place, by rename, by the swap of a symbolic link as Kubernetes does it). A set that is broken or half written
 * is logged once and not taken; the last good one stays in use.
 * @param purpose what the own certificate is shown as; the log has warnings of what peers will refuse
 * @throws {TlsFilesError} when the first set is not good
 */
export async function watchTls(
  files: TlsFiles,
  clock: Clock,
  intervalMs: number = defaultIntervalMs,
  purpose: Purpose = "server",
): Promise<WatchedTls> {
  const read = tlsFilesReader(files, clock);
  let material = await read();
  const warn = () => {
    const warnings = certificateWarnings(files, material, purpose, clock.timeOfDay());
    for (const warning of warnings) log.warn("{warning}", { warning });
  };
  warn();
  let failure: string | undefined;
  let closed = false;
  const listeners = new Set<(material: TlsMaterial) => void>();
  const reload = async () => {
    try {
      const next = await read();
      if (failure !== undefined) log.info("certificate files can be read again", { ...files });
      failure = undefined;
      if (next.cert === material.cert && next.key === material.key && next.ca === material.ca) return;
      material = next;
      log.info("certificates changed on disk and are in use now", { ...files, expires: expires(material) });
      warn();
      // A listener that cannot take them is this program's fault; the others have theirs.
      for (const listener of listeners) guard(owner, () => listener(next));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (why !== failure) {
        log.error("certificate files are not usable, the last good ones stay: {why}", { why });
      }
      failure = why;
    }
  };
  const owner: Owner = ownerOf("certificates", () => {});
  let next: Deadline | undefined;
  let reloading: Promise<void> | undefined;
  const wait = () => {
    next = clock.after(intervalMs, () => {
      reloading = reload().catch((error) => fault(owner, error)).then(() => {
        if (!closed) wait();
      });
    }, owner);
  };
  wait();
  return {
    get material() {
      return material;
    },
    get expirySeconds() {
      const at = expires(material);
      return at === undefined ? undefined : at.getTime() / 1000;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      next?.cancel();
      await reloading;
    },
  };
}

function expires(material: TlsMaterial): Date | undefined {
  return material.cert === undefined ? undefined : new X509Certificate(material.cert).validToDate;
}
