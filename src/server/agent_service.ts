import { Code, ConnectError } from "@connectrpc/connect";
import { getLogger } from "@logtape/logtape";
import type { PacketStream } from "../tunnel/packet_stream.ts";
import { type AgentIdentifiers, IdentifiersError, parseIdentifiers } from "../wire/identifiers.ts";
import { metadataKeys } from "../wire/metadata.ts";
import { Backend } from "./backend.ts";
import type { BackendPool } from "./backend_pool.ts";

const log = getLogger(["server", "agents"]);

/** A call of AgentService.Connect, before it is answered; exactly one of `accept` and `refuse` is called. */
export interface AgentCall {
  metadata(key: string): readonly string[];
  accept(metadata: Readonly<Record<string, string>>): PacketStream;
  refuse(error: ConnectError): void;
}

/** What the server tells agents and how it treats them. */
export interface AgentServiceOptions {
  readonly serverId: string;
  readonly serverCount: number;
  readonly dialTimeoutMs: number;
}

/** Takes agents in: checks what they say of themselves and makes each stream a backend. */
export class AgentService {
  readonly #pool: BackendPool;
  readonly #options: AgentServiceOptions;

  constructor(pool: BackendPool, options: AgentServiceOptions) {
    this.#pool = pool;
    this.#options = options;
  }

  handle(call: AgentCall): void {
    let info: { agentId: string; identifiers: AgentIdentifiers };
    try {
      info = admit(call);
    } catch (error) {
      const refusal = ConnectError.from(error, Code.InvalidArgument);
      log.warn("refused an agent: {reason}", { reason: refusal.rawMessage });
      call.refuse(refusal);
      return;
    }
    const link = call.accept({
      [metadataKeys.serverId]: this.#options.serverId,
      [metadataKeys.serverCount]: String(this.#options.serverCount),
    });
    const backend = new Backend(info, link, {
      dialTimeoutMs: this.#options.dialTimeoutMs,
      onClosed: (closed) => {
        this.#pool.remove(closed);
        log.info("agent {agentId} disconnected, {agents} connected", {
          agentId: info.agentId,
          agents: this.#pool.size,
        });
      },
    });
    this.#pool.add(backend);
    log.info("agent {agentId} connected, {agents} connected", { agentId: info.agentId, agents: this.#pool.size });
    backend.start();
  }
}

function admit(call: AgentCall): { agentId: string; identifiers: AgentIdentifiers } {
  const ids = call.metadata(metadataKeys.agentId);
  const [agentId] = ids;
  if (agentId === undefined || ids.length !== 1) {
    throw new ConnectError(`expected one agent ID in the context, got [${ids.join(" ")}]`, Code.InvalidArgument);
  }
  const lists = call.metadata(metadataKeys.agentIdentifiers);
  if (lists.length > 1) {
    throw new ConnectError(
      `expected at most one set of agent identifiers in the context, got [${lists.join(" ")}]`,
      Code.InvalidArgument,
    );
  }
  try {
    return { agentId, identifiers: parseIdentifiers(lists[0] ?? "") };
  } catch (error) {
    if (!(error instanceof IdentifiersError)) throw error;
    throw new ConnectError(`fail to parse url encoded string: ${error.message}`, Code.InvalidArgument);
  }
}
