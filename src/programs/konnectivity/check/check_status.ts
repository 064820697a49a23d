import { AdminError } from "../status/admin_client.ts";
import { agentLines } from "../status/agent_lines.ts";
import { readStatus, type WholeStatus } from "../status/read_status.ts";
import { serverLines } from "../status/server_lines.ts";
import { isWrong, type StatusLine } from "../status/status_line.ts";
import { type Finding, Findings } from "./finding.ts";

/** A certificate that ends within so many seconds is to be renewed. */
const expirySeconds = 60 * 86_400;

/** The status of a running program, and what is wrong with it. */
export interface RunningCheck {
  /** Undefined: there is none. */
  readonly status: WholeStatus | undefined;
  readonly findings: readonly Finding[];
}

/** Reads the status of a program that runs, and reports what is not as it should be. */
export async function checkStatus(admin: readonly URL[], timeoutMs: number): Promise<RunningCheck> {
  const findings = new Findings("status");
  const certificates = new Findings("certificates");
  const leases = new Findings("leases");
  const subject = admin.map(({ host }) => host).join(", ");
  let whole: WholeStatus;
  try {
    whole = await readStatus({ admin, filters: {}, limit: Infinity, timeoutMs }, new AbortController().signal);
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    findings.fail(subject, error.message);
    return { status: undefined, findings: findings.list };
  }
  const { status } = whole;
  const line = whole.kind === "server" ? serverLines(whole.status, Infinity) : agentLines(whole.status, Infinity);
  for (const wrong of wrongLines(line)) {
    const text = wrong.action === undefined ? wrong.text : `${wrong.text}: ${wrong.action}`;
    const about = wrong.name === "leases" ? leases : findings;
    if (wrong.health === "Down") about.fail(`${status.program.name}: ${wrong.name}`, text);
    else about.warn(`${status.program.name}: ${wrong.name}`, text);
  }
  if (findings.list.length + leases.list.length === 0) findings.ok(line.name, line.text);
  for (const { name, expiresAt, expiresInSeconds } of status.certificates) {
    const days = Math.floor(expiresInSeconds / 86_400);
    const text = `it ends in ${days} days, on ${expiresAt.slice(0, 10)}`;
    if (expiresInSeconds <= 0) {
      certificates.fail(`${status.program.name}: ${name}`, `it expired on ${expiresAt.slice(0, 10)}: renew it`);
    } else if (expiresInSeconds < expirySeconds) {
      certificates.warn(`${status.program.name}: ${name}`, `${text}: renew it`);
    } else certificates.ok(`${status.program.name}: ${name}`, text);
  }
  return { status: whole, findings: [...findings.list, ...leases.list, ...certificates.list] };
}

/** Lines that are wrong by themselves, and not for what is below them alone; certificates have a check of their own. */
function wrongLines(line: StatusLine): readonly StatusLine[] {
  if (line.name === "certificates") return [];
  const below = (line.children ?? []).flatMap(wrongLines);
  if (!isWrong(line.health)) return below;
  // What failed is many lines of one cause.
  if (line.name === "failures") return [line];
  return line.action === undefined ? below : [line, ...below];
}
