import { type FileProbe, missing, probeFile } from "../../flags/file_probe.ts";
import { quote } from "../../flags/flag_error.ts";
import type { TestClientOptions, TestServerOptions } from "./test_options.ts";
import {
  type Fault,
  highestListenPort,
  isMissing,
  lowestListenPort,
  socketPathFault,
  unreadableFault,
  type Validation,
} from "../../flags/validation.ts";

/** Checks the options of proxy-test-client: first as the original does, then what it misses. */
export async function validateTestClientOptions(
  options: TestClientOptions,
  probe: FileProbe = probeFile,
): Promise<Validation> {
  const fault = await fileFault(options, probe) ??
    targetFault(options) ??
    socketFault(options) ??
    countsFault(options) ??
    await furtherFault(options, probe);
  return fault === undefined
    ? { kind: "ok", warnings: [] }
    : { kind: "refused", message: `failed to validate proxy client options, got: ${fault}` };
}

async function fileFault({ clientKey, clientCert, caCert }: TestClientOptions, probe: FileProbe): Promise<Fault> {
  if (await isMissing(clientKey, probe)) return missing(clientKey);
  if (clientKey !== "" && clientCert === "") {
    return `cannot have client cert empty when client key is set to ${quote(clientKey)}`;
  }
  if (await isMissing(clientCert, probe)) return missing(clientCert);
  if (clientCert !== "" && clientKey === "") {
    return `cannot have client key empty when client cert is set to ${quote(clientCert)}`;
  }
  return await isMissing(caCert, probe) ? missing(caCert) : undefined;
}

function targetFault(options: TestClientOptions): Fault {
  if (options.requestProto !== "http" && options.requestProto !== "https") {
    return `request protocol must be set to either 'http' or 'https' not ${quote(options.requestProto)}`;
  }
  if (options.mode !== "grpc" && options.mode !== "http-connect") {
    return `mode must be set to either 'grpc' or 'http-connect' not ${quote(options.mode)}`;
  }
  if (options.requestPort > highestListenPort) {
    return `please do not try to use ephemeral port ${options.requestPort} for the request server port`;
  }
  if (options.proxyPort > highestListenPort) {
    return `please do not try to use ephemeral port ${options.proxyPort} for the proxy server port`;
  }
  if (options.proxyPort < lowestListenPort && options.proxyUds === "") {
    return `please do not try to use reserved port ${options.proxyPort} for the proxy server port`;
  }
  return undefined;
}

function socketFault({ proxyUds, proxyHost, proxyPort, clientKey, clientCert, caCert }: TestClientOptions): Fault {
  if (proxyUds === "") return undefined;
  if (proxyHost !== "") return 'please set proxy host to "" when using UDS';
  if (proxyPort !== 0) return "please set proxy server port to 0 when using UDS";
  if (clientKey !== "" || clientCert !== "" || caCert !== "") {
    return "please do not set cert materials when using UDS, " +
      `key = ${clientKey}, cert = ${clientCert}, CA = ${caCert}`;
  }
  return undefined;
}

function countsFault(options: TestClientOptions): Fault {
  if (options.testRequests < 1) return `please do not ask for fewer than 1 test request(${options.testRequests})`;
  for (const seconds of [options.testDelaySeconds, options.afterDelaySeconds]) {
    if (seconds < 0) return `please do not ask for less than a 0 second delay(${seconds})`;
  }
  return undefined;
}

/** What the original accepts and then fails on. */
async function furtherFault(options: TestClientOptions, probe: FileProbe): Promise<Fault> {
  if (options.requestPort < 1) return `request server port ${options.requestPort} must be greater than 0`;
  if (options.proxyUds === "" && options.proxyHost === "") return "proxy host must be set when proxy-uds is empty";
  if (options.proxyUds === "" && options.caCert === "") {
    return "ca cert must be set when in TCP mode (proxy-uds is empty)";
  }
  return socketPathFault("proxy-uds", options.proxyUds) ?? await unreadableFault({
    "client-key": options.clientKey,
    "client-cert": options.clientCert,
    "ca-cert": options.caCert,
  }, probe);
}

/** Checks the options of http-test-server, as the original does. */
export function validateTestServerOptions({ serverPort }: TestServerOptions): Validation {
  const fault = serverPort > highestListenPort
    ? `please do not try to use ephemeral port ${serverPort} for the server port`
    : serverPort < lowestListenPort
    ? `please do not try to use reserved port ${serverPort} for the server port`
    : undefined;
  return fault === undefined
    ? { kind: "ok", warnings: [] }
    : { kind: "refused", message: `failed to validate server options with ${fault}` };
}
