import { IdentifiersError, parseIdentifiers, parseQuery } from "../../../../src/wire/identifiers.ts";
import { linkFrame, readHello, readStatus } from "../../../../src/wire/link_frame.ts";
import { formatFeatures, MetadataError, parseFeatures, parseServerMetadata } from "../../../../src/wire/metadata.ts";
import { PacketError } from "../../../../src/wire/packet_error.ts";
import { formatTraceparent, parseTraceparent } from "../../../../src/wire/trace_context.ts";
import type { FuzzTarget } from "../target.ts";
import { attempt, holds, prototypeNames, textOf } from "./texts.ts";

/** A trace context of a client. */
export const traceparents: FuzzTarget = {
  name: "traceparents",
  modules: ["src/wire/trace_context.ts"],
  seeds: [
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-follows",
  ],
  maxBytes: 80,
  run(input) {
    const context = parseTraceparent(textOf(input));
    if (context === undefined) return;
    const again = parseTraceparent(formatTraceparent(context));
    holds(JSON.stringify(again) === JSON.stringify(context), () => `${JSON.stringify(context)} is read again`);
  },
};

/** Identifiers of agents, and the features and numbers that peers tell each other. */
export const identifiers: FuzzTarget = {
  name: "identifiers",
  modules: ["src/wire/identifiers.ts", "src/wire/metadata.ts"],
  seeds: [
    "ipv4=10.0.0.1&ipv6=fd00%3A%3A1&host=web.example&cidr=10.0.0.0%2F8&default-route=true",
    "host=a+b&host=%C3%BC",
    "early-data,half-close, ping,window,window-return",
    "serverid=one&servercount=3",
  ],
  dictionary: prototypeNames,
  run(input) {
    const text = textOf(input);
    const read = attempt(() => parseIdentifiers(text), IdentifiersError);
    const pairs = attempt(() => parseQuery(text), IdentifiersError);
    holds(read instanceof Error === pairs instanceof Error, () => "either reading refuses it or none");
    const features = parseFeatures(text);
    holds(parseFeatures(formatFeatures(features)).size === features.size, () => "features are read again");
    if (pairs instanceof Error) return;
    const server = attempt(
      () => parseServerMetadata((key) => pairs.flatMap(([name, value]) => name === key ? [value] : [])),
      MetadataError,
    );
    if (!(server instanceof Error)) holds(Number.isSafeInteger(server.serverCount), () => `${server.serverCount}`);
  },
};

/** The bodies of a direct link's hello and status. */
export const linkFrames: FuzzTarget = {
  name: "link-frames",
  modules: ["src/wire/link_frame.ts"],
  seeds: ["agentid=one&agentidentifiers=ipv4%3D10.0.0.1&konnectivity-features=window", "code=14&message=going+away"],
  run(input) {
    const hello = attempt(() => readHello(input), PacketError);
    if (!(hello instanceof Error)) hello("agentid");
    const status = attempt(() => readStatus(input), PacketError);
    if (!(status instanceof Error)) holds(status.code >= 0 && status.code < 100, () => `code ${status.code}`);
    holds(linkFrame(1, input).length === input.length + 5, () => "a frame is its head and its body");
  },
};
