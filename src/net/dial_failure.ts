import { parseHostPort } from "../wire/host_port.ts";

/** Why a destination could not be reached. `reason` is the metric's label, `message` what the client's user reads. */
export interface DialFailure {
  readonly reason: "timeout" | "unknown";
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

/** Error codes of name resolution. */
const resolverErrors: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host",
  ENODATA: "no such host",
  EAI_NONAME: "no such host",
  EAI_NODATA: "no such host",
  EAI_AGAIN: "server misbehaving",
  EAI_FAIL: "server misbehaving",
};

/** Words a dial's error as Go's net package does, because clients map it to HTTP codes by these words. */
export function describeDialFailure(network: string, address: string, error: Error): DialFailure {
  const first = firstCause(error);
  const code = codeOf(first);
  if (code === "ETIMEDOUT" || code === "ESOCKETTIMEDOUT") {
    return { reason: "timeout", message: `dial ${network} ${address}: i/o timeout` };
  }
  const lookup = code === undefined ? undefined : resolverErrors[code];
  if (lookup !== undefined) {
    const target = parseHostPort(address);
    const host = typeof target === "string" ? address : target.host;
    return { reason: "unknown", message: `dial ${network}: lookup ${host}: ${lookup}` };
  }
  if (isRefusedByRuntime(first)) {
    return {
      reason: "unknown",
      message: `dial ${network} ${address}: connect: permission denied (not among this agent's --destinations)`,
    };
  }
  const known = code === undefined ? undefined : systemErrors[code];
  return { reason: "unknown", message: `dial ${network} ${address}: connect: ${known ?? first.message}` };
}

/**
 * Why a proxy or server of ours could not be connected to. Where the permission sandbox refuses to resolve its name, the
 * runtime says no more than EPERM.
 */
export function connectFailureText(where: string, error: Error): string {
  if (codeOf(error) !== "EPERM" || !isRefusedByRuntime(error)) return error.message;
  return `the permission sandbox does not allow it, run with --allow-net=${where}`;
}

/** Where several addresses were tried, all failed: the first one's error speaks for them, as in Go. */
function firstCause(error: Error): Error {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return firstCause(error.errors[0]);
  return error;
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
