import { ownerOf } from "../../faults/owned.ts";
import { readHost } from "../../wire/destination/destination_host.ts";
import { formatHostPort } from "../../wire/destination/host_port.ts";
import { searchNames } from "./search_names.ts";
import { exchange, type ExchangeContext } from "./exchange.ts";
import { LookupError, lookupReasons } from "./lookup_error.ts";
import { type RecordType, recordType } from "./message.ts";

/** What addresses are wanted of a name. */
export interface Wanted {
  /** 0: both families. */
  readonly family: 0 | 4 | 6;
  /** Wait for both families, however late one is: all addresses are needed, not one that can be dialled. */
  readonly complete: boolean;
}

/** How long the other family is waited for once one has addresses (RFC 8305 section 3), in milliseconds. */
const resolutionDelayMs = 50;

const types: Readonly<Record<Wanted["family"], readonly RecordType[]>> = {
  0: [recordType.A, recordType.AAAA],
  4: [recordType.A],
  6: [recordType.AAAA],
};

/**
 * Asks the name servers for the addresses of a name, under each full name that the search list makes of it until one has
 * some. Both families are asked for at the same time.
 * @throws {LookupError} the signal's reason when it aborts
 */
export async function lookupDns(
  host: string,
  wanted: Wanted,
  context: ExchangeContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const names = readHost(host).kind === "name" ? searchNames(host, context.conf.search, context.conf.ndots) : [];
  let failure = new LookupError("no-such-host", host, lookupReasons["no-such-host"]);
  for (const name of names) {
    try {
      const addresses = await askAll(name, wanted, context, signal);
      if (addresses.length > 0) return addresses;
      failure = noAddresses(host, context);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof LookupError)) throw error;
      failure = error.named(host);
    }
  }
  throw failure;
}

/** The name exists, or a server would have said otherwise, but it has no addresses. */
function noAddresses(host: string, { conf, offset, port }: ExchangeContext): LookupError {
  const server = conf.servers[offset % conf.servers.length] ?? "";
  const where = formatHostPort(server, port);
  return new LookupError("no-such-host", host, lookupReasons["no-such-host"], where);
}

/** The addresses of one full name. Fails only where no family has any and one could not be asked for. */
async function askAll(
  name: string,
  { family, complete }: Wanted,
  context: ExchangeContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found: string[] = [];
  let failure: unknown;
  const enough = new AbortController();
  const both = AbortSignal.any([signal, enough.signal]);
  const ask = async (type: RecordType) => {
    try {
      const addresses = await exchange({ name, type }, context, both);
      found.push(...addresses);
      if (addresses.length > 0 && !complete) {
        context.clock.after(resolutionDelayMs, () => enough.abort(), ownerOf("dial"));
      }
    } catch (error) {
      failure ??= error;
    }
  };
  if (context.conf.singleRequest) { for (const type of types[family]) await ask(type); }
  else await Promise.all(types[family].map(ask));
  signal.throwIfAborted();
  if (found.length === 0 && failure !== undefined) throw failure;
  return found;
}
