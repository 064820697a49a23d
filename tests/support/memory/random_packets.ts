import fc from "fast-check";

const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: 0n, max: 300n }),
  fc.constantFrom(0n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n - 1n, -1n),
);
const asciiText = fc.string({ unit: "binary-ascii", maxLength: 127 });
/** The payload of any control packet whose texts are short and ASCII. */
export const controlPayload = fc.oneof(
  fc.record({
    case: fc.constant("dialRequest" as const),
    value: fc.record({ protocol: asciiText, address: asciiText, random: int64, traceparent: asciiText }),
  }),
  fc.record({
    case: fc.constant("dialResponse" as const),
    value: fc.record({ error: asciiText, connectID: int64, random: int64, resolved: asciiText }),
  }),
  fc.record({
    case: fc.constant("closeResponse" as const),
    value: fc.record({ error: asciiText, connectID: int64 }),
  }),
  fc.record({
    case: fc.constantFrom("closeRequest" as const, "closeWrite" as const),
    value: fc.record({ connectID: int64 }),
  }),
  fc.record({ case: fc.constant("closeDial" as const), value: fc.record({ random: int64 }) }),
  fc.record({ case: fc.constant("window" as const), value: fc.record({ connectID: int64, bytes: int64 }) }),
  fc.record({ case: fc.constantFrom("ping" as const, "pong" as const), value: fc.constant({}) }),
);
