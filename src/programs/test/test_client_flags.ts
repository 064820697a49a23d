import { bool, type FlagValues, helpFlags, inGroup, int, string } from "../../flags/flag.ts";
import { klogFlags, loggingOptions } from "../klog_flags.ts";
import { type ParsedFlags, parseProgramFlags, type Program } from "../../flags/program.ts";
import type { TestClientOptions } from "./test_options.ts";

/** proxy-test-client and its flags. */
export const testClientProgram: Program = {
  name: "proxy-test-client",
  summary: "Sends HTTP requests through a proxy server, prints the answers, and fails when one fails.",
  flags: [
    ...inGroup("Proxy", [
      { name: "mode", type: string, default: "grpc", help: "what the proxy speaks: grpc or http-connect" },
      {
        name: "proxy-host",
        type: string,
        default: "localhost",
        help: 'name or address of the proxy; "" with --proxy-uds',
      },
      { name: "proxy-port", type: int, default: "8090", help: "the proxy's port for clients; 0 with --proxy-uds" },
      {
        name: "proxy-uds",
        type: string,
        default: "",
        help: "path of the proxy's Unix socket, instead of host and port",
      },
      {
        name: "ca-cert",
        type: string,
        default: "",
        help: "PEM file with the CAs that the proxy's certificate must come from",
      },
      { name: "client-cert", type: string, default: "", help: "PEM file with the certificate shown to the proxy" },
      { name: "client-key", type: string, default: "", help: "PEM file with the key of --client-cert" },
      { name: "user-agent", type: string, default: "test-client", help: "user agent shown to the proxy" },
      {
        name: "enable-http2-healthchecks",
        type: bool,
        default: "true",
        help: "accepted without effect: requests are HTTP/1.1, which has no pings",
      },
    ]),
    ...inGroup("Request", [
      { name: "request-proto", type: string, default: "http", help: "http or https" },
      { name: "request-host", type: string, default: "localhost", help: "name or address as the agent sees it" },
      { name: "request-port", type: int, default: "8000", help: "the destination's port" },
      { name: "request-path", type: string, default: "success", help: "path to ask for, with a query if need be" },
    ]),
    ...inGroup("Test", [
      { name: "test-requests", type: int, default: "1", help: "how many requests to send, all at once" },
      {
        name: "test-delay",
        type: int,
        default: "0",
        help: "seconds that each but the last connection is held afterwards",
      },
      { name: "after-delay", type: int, default: "0", help: "seconds to wait at the end" },
      {
        name: "close-idle-conn",
        type: bool,
        default: "true",
        help: "close each connection when its request and --test-delay are over; false: at the end of all",
      },
    ]),
    ...klogFlags(4),
    ...helpFlags,
  ],
};

/** Parses the command line of proxy-test-client. */
export function parseTestClientFlags(args: readonly string[]): ParsedFlags<TestClientOptions> {
  return parseProgramFlags(testClientProgram, args, toOptions);
}

function toOptions(values: FlagValues): TestClientOptions {
  return {
    clientCert: values.string("client-cert"),
    clientKey: values.string("client-key"),
    caCert: values.string("ca-cert"),
    requestProto: values.string("request-proto"),
    requestPath: values.string("request-path"),
    requestHost: values.string("request-host"),
    requestPort: values.number("request-port"),
    proxyHost: values.string("proxy-host"),
    proxyPort: values.number("proxy-port"),
    proxyUds: values.string("proxy-uds"),
    mode: values.string("mode"),
    userAgent: values.string("user-agent"),
    testRequests: values.number("test-requests"),
    testDelaySeconds: values.number("test-delay"),
    afterDelaySeconds: values.number("after-delay"),
    closeIdleConn: values.bool("close-idle-conn"),
    enableHttp2Healthchecks: values.bool("enable-http2-healthchecks"),
    logging: loggingOptions(values),
  };
}
