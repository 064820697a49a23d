import { getLogger } from "@logtape/logtape";
import { owned, ownerOf } from "../../faults/owned.ts";
import { type AuditLog, openAuditLog } from "../../ops/audit_log.ts";
import type { ServerOptions } from "./server_options.ts";

const log = getLogger(["audit"]);

/** However a process ends, what waits is written. */
const endings = ["unload", "error", "unhandledrejection"] as const;

/** The server's audit log while it runs. */
export interface ServerAudit extends AsyncDisposable {
  readonly write: (line: string) => void;
  /** Lines that were lost. */
  readonly lost: number;
}

/**
 * Opens the audit log of a command, which is opened anew at SIGHUP. Without `--audit-log` there is none, and SIGHUP ends the
 * process as it does with the original.
 * @throws {AuditLogError} naming the file and the cause
 */
export async function openServerAudit({ auditLog }: ServerOptions): Promise<ServerAudit | undefined> {
  if (auditLog === "") return undefined;
  const audit: AuditLog = await openAuditLog(auditLog);
  const owner = ownerOf("signal");
  const onHangup = owned(owner, () => {
    log.info("SIGHUP: the audit log is opened anew");
    audit.reopen();
  });
  const onEnding = owned(owner, () => audit.flushSync());
  Deno.addSignalListener("SIGHUP", onHangup);
  for (const ending of endings) globalThis.addEventListener(ending, onEnding);
  return {
    write: audit.write,
    get lost() {
      return audit.lost;
    },
    async [Symbol.asyncDispose]() {
      await audit[Symbol.asyncDispose]();
      for (const ending of endings) globalThis.removeEventListener(ending, onEnding);
      Deno.removeSignalListener("SIGHUP", onHangup);
    },
  };
}
