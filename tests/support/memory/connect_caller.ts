import assert from "node:assert/strict";
import type { ConnectBindings } from "../../../src/server/frontends/http_connect_frontend.ts";
import { unknownPeer } from "../../../src/wire/peer_identity.ts";
import { FakeSocket } from "./link_world.ts";
import type { ServerWorld } from "./server_world.ts";

/** The Fetch API does not make requests with this method; the listener's are made the same way. */
class ConnectRequest extends Request {
  override get method(): string {
    return "CONNECT";
  }
}

/** A CONNECT request that a test makes of a server's core, and what becomes of it. */
export class Caller {
  readonly bindings: ConnectBindings;
  readonly #abort = new AbortController();
  readonly #answer: Promise<Response>;

  constructor({ server }: ServerWorld, target: string, headers: Readonly<Record<string, string>> = {}) {
    const url = `http://connect/${encodeURIComponent(target)}`;
    const request = new ConnectRequest(url, { signal: this.#abort.signal });
    this.bindings = { peer: unknownPeer, rawHeaders: Object.entries(headers).flat() };
    this.#answer = Promise.resolve(server.connect.fetch(request, this.bindings));
  }

  hangUp(): void {
    this.#abort.abort(new Error("client hung up"));
  }

  async answer(): Promise<{ readonly status: number; readonly body: string }> {
    const response = await this.#answer;
    return { status: response.status, body: await response.text() };
  }

  /** Takes the tunnel as the listener does once the 200 is written. */
  async attach(): Promise<FakeSocket> {
    assert.equal((await this.answer()).status, 200);
    const socket = new FakeSocket();
    assert.ok(this.bindings.tunnel !== undefined, "no tunnel was handed over");
    this.bindings.tunnel(socket);
    return socket;
  }
}
