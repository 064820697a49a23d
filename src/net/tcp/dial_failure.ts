import type { AttemptFailure } from "../../dial/address_race.ts";
import { wordsOf } from "../../dial/attempts_error.ts";
import { LookupError } from "../../dial/dns/lookup_error.ts";
import { notAllowed } from "../../wire/destination/destination_policy.ts";
import { tlsFailureText } from "../tls/tls_failure.ts";

/** Why a destination could not be reached. `reason` is the metric's label, `message` what the client's user reads. */
export interface DialFailure {
  readonly reason: "timeout" | "not_allowed" | "too_many_names" | "unknown";
  readonly message: string;
}

/** Error codes of the operating system and what Go, whose words users search for, calls them. */
const systemErrors: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  ECONNABORTED: "software caused connection abort",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  EHOSTDOWN: "host is down",
  ENETDOWN: "network is down",
  EADDRNOTAVAIL: "cannot assign requested address",
  EADDRINUSE: "address already in use",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EMFILE: "too many open files",
  ENFILE: "too many open files in system",
  EINVAL: "invalid argument",
};

/** Words the failed attempts of a dial as Go's net package does, because clients map it to HTTP codes by these words. */
export function describeDialFailure(
  network: string,
  address: string,
  failures: readonly AttemptFailure[],
): DialFailure {
  const [first, ...more] = failures;
  if (first === undefined) return { reason: "unknown", message: `dial ${network} ${address}: connect: no address` };
  const failure = describeAttempt(network, address, first.error);
  // The first attempt speaks for all, as in Go; what failed otherwise follows, since it may be what the user must mend.
  const others = reasonsOf(more.filter(({ error }) => reasonOf(error) !== reasonOf(first.error)));
  return others === "" ? failure : { ...failure, message: `${failure.message} (${first.address}; ${others})` };
}

/** Words a dial whose time was over before an attempt connected; those that had failed by then follow. */
export function describeTimeout(network: string, address: string, failures: readonly AttemptFailure[]): DialFailure {
  const others = reasonsOf(failures);
  const message = `dial ${network} ${address}: i/o timeout${others === "" ? "" : ` (${others})`}`;
  return { reason: "timeout", message };
}

/** Each reason once, with one of the addresses that it was met at. */
function reasonsOf(failures: readonly AttemptFailure[]): string {
  const reasons = new Map(failures.map(({ address, error }) => [reasonOf(error), address]));
  return [...reasons].map(([reason, address]) => `${address}: ${reason}`).join(", ");
}

/** Words a name's failure to resolve as Go's net package does. */
export function describeLookupFailure(network: string, host: string, error: Error): DialFailure {
  if (error instanceof LookupError) {
    const reasons = { "timeout": "timeout", "too-many": "too_many_names" } as const;
    const reason = error.code === "timeout" || error.code === "too-many" ? reasons[error.code] : "unknown";
    return { reason, message: `dial ${network}: ${error.message}` };
  }
  const refused = isRefusedByRuntime(error);
  return {
    reason: refused ? "not_allowed" : "unknown",
    message: `dial ${network}: lookup ${host}: ${refused ? refusedByRuntime : wordsOf(error)}`,
  };
}

/** Words a dial that a policy refuses; `why` says which. */
export function describeRefusal(network: string, address: string, why: string): DialFailure {
  return { reason: "not_allowed", message: `dial ${network} ${address}: ${why}` };
}

function describeAttempt(network: string, address: string, error: Error): DialFailure {
  const where = `dial ${network} ${address}`;
  if (isTimeout(error)) return { reason: "timeout", message: `${where}: ${reasonOf(error)}` };
  if (isRefusedByRuntime(error)) return { reason: "not_allowed", message: `${where}: ${reasonOf(error)}` };
  return { reason: "unknown", message: `${where}: connect: ${reasonOf(error)}` };
}

const refusedByRuntime = `${notAllowed}: the permission sandbox knows only this agent's --destinations`;

function reasonOf(error: Error): string {
  if (isTimeout(error)) return "i/o timeout";
  if (isRefusedByRuntime(error)) return refusedByRuntime;
  return systemErrors[codeOf(error) ?? ""] ?? wordsOf(error);
}

function isTimeout(error: Error): boolean {
  const code = codeOf(error);
  return code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT";
}

/**
 * Why a proxy or server of ours could not be connected to. Where the permission sandbox refuses to resolve its name, the
 * runtime says no more than EPERM.
 */
export function connectFailureText(where: string, error: Error): string {
  if (codeOf(error) !== "EPERM" || !isRefusedByRuntime(error)) return tlsFailureText(error) ?? wordsOf(error);
  return `the permission sandbox does not allow it, run with --allow-net=${where}`;
}

function codeOf(error: Error): string | undefined {
  const code: unknown = Reflect.get(error, "code");
  return typeof code === "string" ? code : undefined;
}

/** The permission sandbox refuses a dial with NotCapable, and a name with EPERM from the resolver. */
function isRefusedByRuntime(error: Error): boolean {
  return error instanceof Deno.errors.NotCapable ||
    (codeOf(error) === "EPERM" && Reflect.get(error, "syscall") === "getaddrinfo");
}
