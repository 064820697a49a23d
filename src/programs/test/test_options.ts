import type { LoggingSettings } from "../../logging/logging_settings.ts";

/** The configuration of proxy-test-client, one field a flag, named after it. Empty strings mean "not set". */
export interface TestClientOptions {
  readonly clientCert: string;
  readonly clientKey: string;
  readonly caCert: string;
  /** After validation `http` or `https`. */
  readonly requestProto: string;
  /** With or without a slash in front. */
  readonly requestPath: string;
  readonly requestHost: string;
  readonly requestPort: number;
  readonly proxyHost: string;
  readonly proxyPort: number;
  /** Path of the proxy's Unix socket; empty: the proxy is reached by TCP. */
  readonly proxyUds: string;
  /** After validation `grpc` or `http-connect`. */
  readonly mode: string;
  readonly userAgent: string;
  readonly testRequests: number;
  readonly testDelaySeconds: number;
  readonly afterDelaySeconds: number;
  readonly closeIdleConn: boolean;
  readonly enableHttp2Healthchecks: boolean;
  readonly logging: LoggingSettings;
}

/** The configuration of http-test-server. */
export interface TestServerOptions {
  readonly serverPort: number;
  /** Empty: every address of the machine. */
  readonly bindAddress: string;
  readonly logging: LoggingSettings;
}
