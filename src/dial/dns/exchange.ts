import { isIP } from "node:net";
import { follow, owned, ownerOf } from "../../faults/owned.ts";
import type { Clock, Deadline } from "../../runtime/clock.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { LookupError, type LookupFailureCode, lookupReasons } from "./lookup_error.ts";
import { type Answer, decodeAnswer, encodeQuery, type Question, responseCode } from "./message.ts";
import type { ResolvConf } from "./resolv_conf.ts";
import { queryOverTcp } from "./tcp_query.ts";
import type { OnDatagram, UdpPlace, UdpSockets } from "./udp_sockets.ts";

/**
 * How long a name server is waited for before the next one, or the same again, is asked too, in milliseconds. What the
 * first one says meanwhile still counts. The system's resolvers wait the whole `timeout`, which is as long as a dial may
 * take: one lost datagram, or a first server that is down, would fail each dial.
 */
const resendMs = 1_000;

/** How name servers are asked. */
export interface ExchangeContext {
  readonly clock: Clock;
  readonly conf: ResolvConf;
  readonly sockets: UdpSockets;
  /** 53, but in tests. */
  readonly port: number;
  /** Which server is asked first. */
  readonly offset: number;
}

/**
 * Asks the name servers one question, in turn, as often as resolv.conf says.
 * @returns the addresses; none where the name has none of this type, which is no failure
 * @throws {LookupError} naming the server, and the full name; the signal's reason when it aborts
 */
export function exchange(
  question: Question,
  context: ExchangeContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  return new Promise((resolve, reject) => new Exchange(question, context, signal, resolve, reject).begin());
}

class Exchange {
  readonly #question: Question;
  readonly #context: ExchangeContext;
  readonly #signal: AbortSignal;
  readonly #resolve: (addresses: readonly string[]) => void;
  readonly #reject: (reason: unknown) => void;
  /** Ends what goes over TCP. */
  readonly #end = new AbortController();
  readonly #owner = ownerOf("dial", (error) => this.#finish(() => this.#reject(error)));
  /** One for each family of servers that was asked. */
  readonly #places = new Map<number, UdpPlace>();
  /** Servers that have been asked and have not answered. */
  readonly #asked = new Set<string>();
  #sent = 0;
  #resend: Deadline | undefined;
  #deadline: Deadline | undefined;
  /** The last answer that was of no use. */
  #fault: LookupError | undefined;

  constructor(
    question: Question,
    context: ExchangeContext,
    signal: AbortSignal,
    resolve: (addresses: readonly string[]) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#question = question;
    this.#context = context;
    this.#signal = signal;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(): void {
    if (this.#signal.aborted) return this.#reject(this.#signal.reason);
    const { clock, conf: { timeoutMs } } = this.#context;
    this.#signal.addEventListener("abort", this.#onAbort);
    this.#deadline = clock.after(timeoutMs * this.#maxSends, () => this.#fail(this.#timeout()), this.#owner);
    this.#ask();
  }

  get #maxSends(): number {
    const { attempts, servers } = this.#context.conf;
    return attempts * servers.length;
  }

  #server(at: number): string {
    const { servers } = this.#context.conf;
    return servers[(this.#context.offset + at) % servers.length] ?? "";
  }

  /** Asks the next server; the one that was asked before may still answer. */
  #ask(): void {
    this.#resend?.cancel();
    this.#resend = undefined;
    if (this.#sent >= this.#maxSends) {
      if (this.#asked.size === 0) this.#fail(this.#fault ?? this.#timeout());
      return;
    }
    const server = this.#server(this.#sent++);
    this.#asked.add(server);
    const { clock, conf } = this.#context;
    this.#resend = clock.after(Math.min(resendMs, conf.timeoutMs), () => this.#ask(), this.#owner);
    if (conf.tcp) this.#askOverTcp(server);
    else this.#askOverUdp(server);
  }

  #askOverUdp(server: string): void {
    const { port } = this.#context;
    const family = isIP(server);
    let place = this.#places.get(family);
    if (place === undefined) {
      const onDatagram: OnDatagram = (bytes, from) => {
        // A zone may be spelled otherwise in an answer; what else can answer here has the question's number and name.
        const asked = [...this.#asked].find((each) => bare(each) === bare(from.address));
        if (asked !== undefined && from.port === port) this.#onBytes(bytes, asked);
      };
      place = this.#context.sockets.take(
        server,
        owned(this.#owner, onDatagram),
        (error) => this.#onBroken(server, error),
      );
      this.#places.set(family, place);
    }
    place.send(encodeQuery(place.id, this.#question), server, port);
  }

  #askOverTcp(server: string): void {
    const id = crypto.getRandomValues(new Uint16Array(1))[0] ?? 0;
    const query = encodeQuery(id, this.#question);
    const asked = queryOverTcp(query, server, this.#context.port, this.#end.signal).then(
      (bytes) => this.#onBytes(bytes, server, id),
      (error) => this.#onBroken(server, error),
    );
    follow(this.#owner, asked);
  }

  /** @param id the number that the answer must carry; over UDP, that is how it found its way here */
  #onBytes(bytes: Uint8Array, server: string, id?: number): void {
    if (this.#end.signal.aborted) return;
    const answer = decodeAnswer(bytes, this.#question);
    // What answers another question is not the server's word on this one.
    if (answer === undefined || (id !== undefined && answer.id !== id)) {
      if (id !== undefined) this.#onUseless(server, "misbehaving");
      return;
    }
    if (answer.truncated && id === undefined) return this.#askOverTcp(server);
    const fault = faultOf(answer);
    if (fault === undefined) this.#finish(() => this.#resolve(answer.addresses));
    else if (fault === "no-such-host") this.#fail(this.#error(fault, server));
    else this.#onUseless(server, fault);
  }

  #onUseless(server: string, code: LookupFailureCode & keyof typeof lookupReasons): void {
    this.#asked.delete(server);
    this.#fault = this.#error(code, server);
    this.#ask();
  }

  #onBroken(server: string, error: unknown): void {
    if (this.#end.signal.aborted) return;
    this.#asked.delete(server);
    const reason = error instanceof Error ? error.message : String(error);
    this.#fault = new LookupError("failed", this.#question.name, reason, this.#named(server), { cause: error });
    this.#ask();
  }

  readonly #onAbort = owned(this.#owner, () => this.#finish(() => this.#reject(this.#signal.reason)));

  #fail(error: LookupError): void {
    this.#finish(() => this.#reject(error));
  }

  #timeout(): LookupError {
    return this.#error("timeout", this.#server(Math.max(0, this.#sent - 1)));
  }

  #error(code: keyof typeof lookupReasons, server: string): LookupError {
    return new LookupError(code, this.#question.name, lookupReasons[code], this.#named(server));
  }

  #named(server: string): string {
    return formatHostPort(server, this.#context.port);
  }

  #finish(act: () => void): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#resend?.cancel();
    this.#deadline?.cancel();
    for (const place of this.#places.values()) place.release();
    act();
  }
}

/** Why an answer is of no use; undefined: it holds addresses, or says that there are none of this type. */
function faultOf(answer: Answer): (LookupFailureCode & keyof typeof lookupReasons) | undefined {
  if (answer.code === responseCode.noSuchName) return "no-such-host";
  if (answer.code !== responseCode.ok || answer.truncated) return "misbehaving";
  // A referral to other servers, which a resolver of this kind does not follow.
  return answer.addresses.length === 0 && !answer.capable ? "misbehaving" : undefined;
}

function bare(address: string): string {
  return address.replace(/%.*$/, "");
}
