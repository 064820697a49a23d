/**
 * A client of ProxyService on grpc-js, under Node with its own HTTP/2; see foreign_client.ts. Prints what it saw of each
 * scenario as JSON. Arguments: a folder in which its packages are installed, and a place with what is asked there, as JSON.
 * @module
 */
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(`${process.argv[2]}/`);
const { Client, credentials, Metadata } = require("@grpc/grpc-js");
const { loadFileDescriptorSetFromBuffer } = require("@grpc/proto-loader");

const chunkBytes = 48 * 1024;
const timeoutMs = 60_000;

function pattern(size) {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at++) bytes[at] = (at ^ (at >> 8) ^ (at >> 16)) & 0xff;
  return bytes;
}

/** One call of Proxy, whose packets wait in a queue until they are asked for. */
class Tunnel {
  #packets = [];
  #status;
  #wake = () => {};

  constructor(client, descriptors, features) {
    const { Proxy } = loadFileDescriptorSetFromBuffer(readFileSync(descriptors), {
      defaults: true,
      oneofs: true,
    })["ProxyService"];
    const metadata = new Metadata();
    if (features !== undefined) metadata.set("konnectivity-features", features);
    this.call = client.makeBidiStreamRequest(
      Proxy.path,
      (packet) => Buffer.isBuffer(packet) ? packet : Proxy.requestSerialize(packet),
      Proxy.responseDeserialize,
      metadata,
      { deadline: Date.now() + timeoutMs },
    );
    this.call.on("data", (packet) => {
      this.#packets.push(packet);
      this.#wake();
    });
    this.call.on("error", () => {});
    this.call.on("status", ({ code, details }) => {
      this.#status = { status: code, message: details };
      this.#wake();
    });
  }

  send(packet) {
    this.call.write(packet);
  }

  async #take() {
    while (this.#packets.length === 0 && this.#status === undefined) {
      await new Promise((resolve) => this.#wake = () => resolve(undefined));
    }
    return this.#packets.shift();
  }

  async next() {
    const packet = await this.#take();
    if (packet === undefined) throw this.#status;
    return packet;
  }

  async dial(address) {
    this.send({ type: "DIAL_REQ", dialRequest: { protocol: "tcp", address, random: 7 } });
    const { dialResponse } = await this.next();
    if (Number(dialResponse?.random) !== 7) throw new Error("no answer to the dial");
    return dialResponse;
  }

  data(connectID, data) {
    this.send({ type: "DATA", data: { connectID, data } });
  }

  async take(size) {
    const taken = [];
    for (let bytes = 0; bytes < size;) {
      const { data } = await this.next();
      taken.push(data.data);
      bytes += data.data.length;
    }
    return Buffer.concat(taken);
  }

  /** How the call ended, once nothing more comes. */
  async status() {
    let packets = 0;
    while (await this.#take() !== undefined) packets++;
    return { ...this.#status, packets };
  }
}

async function exchange(tunnel, connectID, text) {
  tunnel.data(connectID, Buffer.from(text));
  return (await tunnel.take(text.length)).toString();
}

async function closed(tunnel) {
  const { type, closeResponse } = await tunnel.next();
  tunnel.call.end();
  return closeResponse?.error ?? `packet of type ${type}`;
}

const scenarios = {
  async transfer(tunnel, { destination, bytes }) {
    const { connectID } = await tunnel.dial(destination);
    const sent = pattern(bytes);
    for (let at = 0; at < bytes; at += chunkBytes) tunnel.data(connectID, sent.subarray(at, at + chunkBytes));
    tunnel.send({ type: "CLOSE_WRITE", closeWrite: { connectID } });
    const received = await tunnel.take(bytes);
    const wrongAt = sent.findIndex((byte, at) => received[at] !== byte);
    return { received: received.length, wrongAt, closed: await closed(tunnel), ...await tunnel.status() };
  },
  async close(tunnel, { destination }) {
    const { connectID } = await tunnel.dial(destination);
    const answer = await exchange(tunnel, connectID, "hello");
    tunnel.send({ type: "CLOSE_REQ", closeRequest: { connectID } });
    return { answer, closed: await closed(tunnel), ...await tunnel.status() };
  },
  async refused(tunnel, { destination }) {
    const { error } = await tunnel.dial(destination);
    tunnel.call.end();
    return { error, ...await tunnel.status() };
  },
  async cancel(tunnel, { destination }) {
    const { connectID } = await tunnel.dial(destination);
    const answer = await exchange(tunnel, connectID, "hello");
    tunnel.call.cancel();
    return { answer, ...await tunnel.status() };
  },
  garbage(tunnel, { bytes }) {
    tunnel.send(Buffer.from(bytes, "hex"));
    return tunnel.status();
  },
};

function unary(client, { path, requestBytes = 0 }) {
  const same = (bytes) => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      path,
      same,
      same,
      Buffer.alloc(requestBytes),
      new Metadata(),
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        if (error === null) resolve({ status: 0, message: "", answer: answer?.toString("hex") });
        else resolve({ status: error.code, message: error.details });
      },
    );
  });
}

function clientOf({ target, ca, cert, key }) {
  const read = (path) => path === undefined ? null : readFileSync(path);
  const shown = ca === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(read(ca), read(key), read(cert));
  return new Client(target, shown);
}

async function play(place, asked) {
  const client = clientOf(place);
  try {
    if (asked.scenario === "unary") return await unary(client, asked);
    const tunnel = new Tunnel(client, place.descriptors, asked.features);
    const seen = await scenarios[asked.scenario](tunnel, asked).catch((status) => status);
    tunnel.call.end();
    return seen;
  } finally {
    client.close();
  }
}

const [place, asked] = JSON.parse(process.argv[3] ?? "[]");
const seen = [];
for (const each of asked) seen.push(await play(place, each));
process.stdout.write(JSON.stringify(seen));
