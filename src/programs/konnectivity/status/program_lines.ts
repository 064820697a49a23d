import type { FailureStatus } from "../../../ops/status/recent_failures.ts";
import type { CertificateStatus, ProgramStatus } from "../../../ops/status/program_status.ts";
import { heading, isWrong, listed, span, type StatusLine } from "./status_line.ts";

/** A certificate that ends sooner than this is to be renewed now, in seconds: what rotates has done so long before. */
const certificateSeconds = 14 * 86_400;

/** A failure is of now for so long, in seconds. */
const recentSeconds = 60;

/** What to do about dials that fail, by the reason that the metric has. */
const failureActions: ReadonlyMap<string, string> = new Map([
  // Of a server.
  ["no_agent", "no agent fits: connect one, or hold --proxy-strategies against the agents' --agent-identifiers"],
  ["error_response", "agents cannot reach the destinations: see each message, and the status of the agents"],
  ["backend_close", "links to agents were lost meanwhile: look at the logs of the agents"],
  [
    "backend_dial_timeout",
    "agents have not answered within --backend-dial-timeout: look at their load and their firewalls",
  ],
  ["frontend_close", "clients gave up before an answer came: look at the agents' load and at the destinations"],
  // Of an agent.
  ["timeout", "destinations do not answer: look at firewalls between this agent and them"],
  ["too_many_names", "more names are asked for than can be resolved at once: look at the name servers of this agent"],
  // Of either.
  ["not_allowed", "a list of allowed or denied destinations refuses them: allow them, or mend the clients"],
]);

/** The first line, and below it what both programs have; `own` stands between certificates and failures. */
export function programLine(
  status: ProgramStatus & { readonly failures: readonly FailureStatus[] },
  { name, text, own, limit }: {
    readonly name: string;
    readonly text: string;
    readonly own: readonly StatusLine[];
    readonly limit: number;
  },
): StatusLine {
  const { program, ready, notReady, draining } = status;
  const children = [listenersLine(status), certificatesLine(status), ...own, failuresLine(status, limit)];
  const about = `version ${program.version}, up ${span(program.uptimeSeconds)}, ${text}`;
  const line = { name: `${program.name} ${name}`, children };
  if (draining) {
    return {
      ...line,
      health: "Degraded",
      text: `draining, ${about}`,
      action: "it was asked to end and takes nothing new: start another one, or wait until it has ended",
    };
  }
  if (!ready) {
    return {
      ...line,
      health: "Down",
      text: `not ready: ${notReady ?? "it does not say why"}; ${about}`,
      action: /descriptor/.test(notReady ?? "")
        ? "raise its limit of open files (ulimit -n), or find out who holds so many connections"
        : "see what is Down below, and the log of the program",
    };
  }
  return { ...line, health: children.some(({ health }) => isWrong(health)) ? "Degraded" : "Healthy", text: about };
}

function listenersLine({ listeners }: ProgramStatus): StatusLine {
  const lines = listeners.map(({ name, address, protocol, tls }): StatusLine => ({
    health: "Healthy",
    name,
    text: `${address}, ${protocol}${tls ? " over TLS" : ""}`,
  }));
  return { ...heading("listeners", String(lines.length), lines) };
}

function certificatesLine({ certificates }: ProgramStatus): StatusLine {
  return heading(
    "certificates",
    certificates.length === 0 ? "none" : String(certificates.length),
    certificates.map(certificateLine),
  );
}

function certificateLine({ name, expiresAt, expiresInSeconds }: CertificateStatus): StatusLine {
  const on = expiresAt.slice(0, 10);
  const renew = "renew its file; it is read again without a restart";
  if (expiresInSeconds <= 0) {
    return {
      health: "Down",
      name,
      text: `expired ${span(-expiresInSeconds)} ago, on ${on}`,
      action: `every peer refuses it: ${renew}`,
    };
  }
  const text = `ends in ${span(expiresInSeconds)}, on ${on}`;
  if (expiresInSeconds >= certificateSeconds) return { health: "Healthy", name, text };
  return { health: "Degraded", name, text, action: `no peer takes it from then on: ${renew}` };
}

function failuresLine(
  { program, failures }: ProgramStatus & { failures: readonly FailureStatus[] },
  limit: number,
): StatusLine {
  // By the program's own time of day: this machine's may be another.
  const now = Date.parse(program.startedAt) + program.uptimeSeconds * 1000;
  const ages = failures.map(({ time }) => Math.max(0, (now - Date.parse(time)) / 1000));
  const recent = failures.filter((_, at) => (ages[at] ?? Infinity) < recentSeconds);
  const lines = failures.map(({ reason, destination, message, client }, at): StatusLine => ({
    health: (ages[at] ?? Infinity) < recentSeconds ? "Degraded" : "Inactive",
    name: reason,
    text: `${span(ages[at] ?? 0)} ago, ${client === undefined ? "" : `${client} to `}${destination}: ${message}`,
  }));
  const children = listed(lines, lines.length, limit);
  const [last] = recent;
  if (last === undefined) {
    const text = lines.length === 0 ? "no dial has failed" : "no dial has failed in the last minute";
    return { health: "Inactive", name: "failures", text, children };
  }
  return {
    health: "Degraded",
    name: "failures",
    text: `${recent.length} in the last minute, of the last ${failures.length} that are kept`,
    action: failureActions.get(last.reason) ?? "see each message",
    children,
  };
}
