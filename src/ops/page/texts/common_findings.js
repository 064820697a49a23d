// @ts-check
/**
 * Findings that server and agent share: readiness, certificates, and dials that failed.
 * @module
 */
import { ago, counted, duration } from "../texts/units.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/** @typedef {import("../texts/findings.js").Finding} Finding */

/** A certificate that ends sooner is to be renewed, in seconds. */
const renewSeconds = 14 * 86_400;
/** A failure that is older is history, in seconds. */
const recentSeconds = 600;

/**
 * @param {ServerStatus | AgentStatus} status
 * @returns {Finding[]}
 */
export function readinessFindings({ ready, notReady, draining, listeners, program }) {
  if (draining) {
    return [{
      level: "bad",
      what: "it is shutting down",
      ...(notReady === undefined ? {} : { why: notReady }),
      todo: "Nothing, where you stop it: open tunnels go on until they end or the time for it is over.",
    }];
  }
  if (ready) return [];
  const agentPort = listeners.find(({ name }) => name === "agent")?.address;
  return [{
    level: "bad",
    what: "not ready: it gets no traffic",
    ...(notReady === undefined ? {} : { why: notReady }),
    todo: readinessAdvice(notReady ?? "", program.name, agentPort),
  }];
}

/**
 * @param {string} reason
 * @param {"proxy-server" | "proxy-agent"} program
 * @param {string | undefined} agentPort
 */
function readinessAdvice(reason, program, agentPort) {
  if (reason.includes("file descriptors")) {
    return "Raise the limit of open files (ulimit -n, LimitNOFILE=), or find out who opens so many connections.";
  }
  if (program === "proxy-agent") {
    return "See below why no server can be reached: the network, the address, or a certificate.";
  }
  return "Start agents, or look whether they reach this server" +
    `${agentPort === undefined ? "" : ` at ${agentPort}`}: their log, and the page of their admin port, say why not.`;
}

/**
 * @param {ServerStatus | AgentStatus} status
 * @returns {Finding[]}
 */
export function certificateFindings({ certificates }) {
  return certificates.filter(({ expiresInSeconds }) => expiresInSeconds < renewSeconds).map((
    { name, expiresAt, expiresInSeconds: rest },
  ) => ({
    level: rest <= 0 ? "bad" : "warn",
    what: rest <= 0
      ? `the ${name} certificate has expired ${ago(-rest)}`
      : `the ${name} certificate ends in ${duration(rest)}`,
    why: `it ends at ${expiresAt}`,
    todo: "Renew it, and put certificate and key where the old ones are: they are read again without a restart.",
  }));
}

/** @type {Readonly<Record<string, string>>} */
const serverAdvice = {
  no_agent: "No agent fits. Look whether agents are connected, and whether --proxy-strategies and the agents' " +
    "--agent-identifiers let one of them take this destination.",
  error_response:
    "The agent could not reach it. Look whether the destination listens, and whether the agent's network " +
    "reaches it.",
  unrecognized_response: "An agent answered a dial that nobody knows. Look whether clients give up early.",
  send_rsp: "The client was gone when the answer came. Look at its deadline.",
  backend_close: "The link to the agent ended meanwhile. Look at the agent's log.",
  backend_dial_timeout:
    "The agent did not answer within --backend-dial-timeout. Look whether a firewall drops packets " +
    "to the destination, and whether the agent is overloaded.",
  frontend_close: "The client gave up before the answer. Look at its deadline, and at how long dials take.",
  not_allowed:
    "A rule refuses it: --destinations, --deny-destinations or --client-destinations. Change the rule, or the " +
    "client that asks.",
};

/** @type {Readonly<Record<string, string>>} */
const agentAdvice = {
  timeout: "The destination does not answer. Look whether a firewall drops packets to it, and whether it runs.",
  not_allowed: "The agent does not dial this: see --destinations and what it refuses by itself.",
  too_many_names: "More names wait for DNS than there may be. Look at the cluster's DNS.",
  unknown: "Look whether the destination listens, and whether its name resolves here.",
};

/**
 * Dials that failed of late, by reason.
 * @param {ServerStatus | AgentStatus} status
 * @param {number} now milliseconds since the epoch
 * @returns {Finding[]}
 */
export function failureFindings({ failures, program }, now) {
  const recent = failures.filter(({ time }) => now - Date.parse(time) < recentSeconds * 1000);
  const advice = program.name === "proxy-server" ? serverAdvice : agentAdvice;
  return [...Map.groupBy(recent, ({ reason }) => reason)].map(([reason, some]) => {
    const [last] = some;
    const whole = some.length === failures.length && failures.length >= 50 ? "at least " : "";
    const places = new Set(some.map(({ destination }) => destination));
    return {
      level: "warn",
      what: `${whole}${counted(some.length, "dial")} failed in the last ${duration(recentSeconds)}: ${reason}`,
      why: last === undefined ? "" : `${last.destination}${places.size > 1 ? ` and ${places.size - 1} more` : ""}: ` +
        `${last.message} (${ago(Math.max(0, (now - Date.parse(last.time)) / 1000))})`,
      todo: advice[reason] ?? "Look at the message, and at the log of server and agent.",
    };
  });
}
