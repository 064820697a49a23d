import {
  ConnectFailure,
  type ConnectFailureCode,
  type ConnectTarget,
  openConnect,
} from "../net/http_connect/connect_client.ts";
import { ConnectStream } from "./connect_stream.ts";
import type { DialledStream, Dialler } from "./dialled_stream.ts";
import { dialRefused, ProxyError, type ProxyErrorCode } from "./proxy_error.ts";
import type { Clock } from "../runtime/clock.ts";

const codes: Readonly<Record<ConnectFailureCode, ProxyErrorCode>> = {
  unreachable: "proxy-unreachable",
  "bad-tls": "bad-tls",
  closed: "tunnel-closed",
  malformed: "protocol-error",
};

/** Dials over HTTP CONNECT, one connection for each. */
export class ConnectDialler implements Dialler {
  readonly #target: ConnectTarget;
  readonly #userAgent: string;
  readonly #clock: Clock;

  constructor(target: ConnectTarget, userAgent: string, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    this.#userAgent = userAgent;
  }

  async dial(address: string, signal: AbortSignal): Promise<DialledStream> {
    try {
      const answer = await openConnect(
        this.#target,
        { authority: address, userAgent: this.#userAgent },
        signal,
        this.#clock,
      );
      if (answer.ok) return new ConnectStream(answer.stream);
      throw refused(answer.status, answer.reason, answer.body);
    } catch (error) {
      if (!(error instanceof ConnectFailure)) throw error;
      throw new ProxyError(codes[error.code], error.message, { cause: error });
    }
  }

  /** Nothing is open but the tunnels, which their owners close. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * The original answers a failed dial with 502, 503 or 504 and the agent's text, and a missing agent with 500; ours gives
 * 503 for the latter, and 403 with the reason for a destination that is not allowed. Every other status is the proxy's own
 * refusal.
 */
function refused(status: number, reason: string, body: string): ProxyError {
  const answer = `${status} ${reason}`.trim();
  const failure = dialRefused(body === "" ? `proxy answered ${answer}` : body);
  if (failure.code !== "endpoint" || (status >= 502 && status <= 504)) return failure;
  return new ProxyError("proxy-refused", `proxy answered ${body === "" ? answer : `${answer}: ${body}`}`);
}
