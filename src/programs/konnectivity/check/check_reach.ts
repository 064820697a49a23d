import { isIP } from "node:net";
import { connectGrpc, secureSocket, type TlsTarget } from "../../../net/http2/grpc_client.ts";
import { isTlsFailure } from "../../../net/tls/tls_failure.ts";
import { readTlsFiles, TlsFilesError } from "../../../net/tls/tls_files.ts";
import { type ProxyFor, ProxySettingsError, readProxySettings } from "../../../dial/proxy/proxy_settings.ts";
import { dialContext } from "../../../dial/connector.ts";
import { systemClock } from "../../../runtime/system_clock.ts";
import { formatHostPort } from "../../../wire/destination/host_port.ts";
import { type Finding, Findings } from "./finding.ts";
import type { AgentPart, Part } from "./part.ts";

/** Whether names of servers resolve, where they are not left to a proxy. */
export async function checkDns(parts: readonly Part[], timeoutMs: number): Promise<readonly Finding[]> {
  const findings = new Findings("dns");
  for (const part of parts) {
    if (part.role !== "agent" || part.pod !== undefined) continue;
    const proxyFor = proxiesOf(part);
    for (const host of part.options.proxyServerHosts) {
      const subject = `${part.label}: --proxy-server-host`;
      if (isIP(host) !== 0 || proxyFor === undefined) continue;
      if (proxyFor(host, part.options.proxyServerPort) !== undefined) {
        findings.ok(subject, `${host} is resolved by the proxy`);
        continue;
      }
      try {
        const { resolver } = dialContext("links", systemClock);
        const found = await resolver.lookup(host, {
          family: 0,
          port: part.options.proxyServerPort,
          complete: true,
          signal: AbortSignal.timeout(timeoutMs),
        });
        findings.ok(subject, `${host} has ${found.length === 1 ? "the address" : "the addresses"} ${found.join(", ")}`);
      } catch (error) {
        findings.fail(
          subject,
          `${host} cannot be resolved: ${words(error)}; mend the name, or the name servers of this machine`,
        );
      }
    }
  }
  return findings.list;
}

/** Whether servers can be reached as an agent reaches them: through its proxy, with a handshake, and past its answer. */
export async function checkReach(parts: readonly Part[], timeoutMs: number): Promise<readonly Finding[]> {
  const findings = new Findings("reach");
  for (const part of parts) {
    if (part.role !== "agent") continue;
    if (part.pod !== undefined) {
      findings.skip(part.label, "the agent is to run in a pod, and the way from here is another one");
      continue;
    }
    let proxyFor: ProxyFor;
    try {
      proxyFor = readProxySettings(part.env);
    } catch (error) {
      if (!(error instanceof ProxySettingsError)) throw error;
      findings.fail(part.label, `${error.message}: mend the variable, the agent refuses to start with it`);
      continue;
    }
    for (const host of part.options.proxyServerHosts) await checkServer(part, host, proxyFor, timeoutMs, findings);
  }
  return findings.list;
}

async function checkServer(
  { label, options, local }: AgentPart,
  host: string,
  proxyFor: ProxyFor,
  timeoutMs: number,
  findings: Findings,
): Promise<void> {
  const where = formatHostPort(host, options.proxyServerPort);
  const subject = `${label}: ${where}`;
  const proxy = proxyFor(host, options.proxyServerPort);
  const by = proxy === undefined ? "" : ` through the proxy ${proxy.shown}`;
  const files = {
    cert: local(options.agentCert) ?? "",
    key: local(options.agentKey) ?? "",
    ca: local(options.caCert) ?? "",
  };
  try {
    const tls = await readTlsFiles(files, systemClock);
    const signal = AbortSignal.timeout(timeoutMs);
    const target = {
      kind: "tls",
      host,
      port: options.proxyServerPort,
      tls,
      ...(isIP(host) === 0 ? { serverName: host } : {}),
      alpnProtocols: options.alpnProto,
      ...(proxy === undefined ? {} : { proxy }),
    } as const;
    // Not offered a direct link: only over HTTP/2 is there something to ask that makes nobody an agent.
    const socket = await secureSocket(target, signal, [], systemClock);
    if (await answersPing({ ...target, socket }, signal)) {
      return findings.ok(subject, `it is reached${by}, and its certificate is for ${host}`);
    }
    findings.fail(
      subject,
      `it is reached${by} and ends the connection behind the handshake: it refuses the certificate of this agent ` +
        `(${options.agentCert || "none is set: --agent-cert"}); see its log, and --cluster-ca-cert and ` +
        "--agent-allowed-names of the server",
    );
  } catch (error) {
    // The check of certificates says so.
    if (error instanceof TlsFilesError) return findings.skip(subject, "it is not tried without sound certificates");
    if (isTlsFailure(error)) {
      return findings.fail(
        subject,
        `it is reached${by}, and its certificate is not taken: ${
          words(error)
        }; ${options.caCert} (--ca-cert) is to hold the CA ` +
          "of the server's --cluster-cert, which is to be for this host; a balancer that ends TLS itself shows another one",
      );
    }
    findings.fail(
      subject,
      `it cannot be reached${by}: ${words(error)}; look at firewalls, the port, and who listens there`,
    );
  }
}

/** Whether a server answers behind the handshake: one of TLS 1.3 looks at the client's certificate only then. */
async function answersPing(target: TlsTarget, signal: AbortSignal): Promise<boolean> {
  try {
    const connection = await connectGrpc(target, signal, systemClock);
    await connection.ping();
    const { usable } = connection;
    connection.close();
    await connection.closed;
    return usable;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

/** The proxies of a part; undefined where what names them cannot be used, which the check of the way says. */
function proxiesOf({ env }: Part): ProxyFor | undefined {
  try {
    return readProxySettings(env);
  } catch (error) {
    if (error instanceof ProxySettingsError) return undefined;
    throw error;
  }
}

function words(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "it took too long";
  return error instanceof Error ? error.message.replace(/^\[\w+\] /, "") : String(error);
}
