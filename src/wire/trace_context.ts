/** Where a trace stands, as W3C's Trace Context has it: hexadecimal, lower case. */
export interface TraceContext {
  /** 32 digits. */
  readonly traceId: string;
  /** 16 digits: of the span that whoever reads this continues. */
  readonly spanId: string;
  /** Bit 0: the trace is recorded. */
  readonly flags: number;
}

/** The header, and the key of gRPC metadata, that a client's trace context comes in. */
export const traceparentKey = "traceparent";

/** A later version may have more members behind those of the first. */
const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

const longest = 256;

/** Reads a `traceparent`. @returns undefined for one that is none: its bearer then begins a trace of its own */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined || text.length > longest) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", more] = form.exec(text) ?? [];
  if (version === "" || version === "ff" || (version === "00" && more !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, flags: parseInt(flags, 16) };
}

/** Writes a `traceparent` of version 00. */
export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags.toString(16).padStart(2, "0")}`;
}
