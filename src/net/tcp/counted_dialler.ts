import type { DialAdmission } from "../edge/admission.ts";
import { describeDialFailure } from "./dial_failure.ts";
import type { DialOptions, DialResult } from "./dial_tcp.ts";

type Dialler = (network: string, address: string, options: DialOptions) => Promise<DialResult>;

/** A dialler whose dials and connections are counted, and refused where no descriptor is left for one more. */
export function countedDialler(dial: Dialler, admission: DialAdmission): Dialler {
  return (network, address, options) => {
    if (!admission.take()) {
      const error = Object.assign(new Error("no descriptor is left for dials"), { code: "EMFILE" });
      return Promise.resolve({ ok: false, failure: describeDialFailure(network, address, [{ address, error }]) });
    }
    return dial(network, address, options).then((result) => {
      if (result.ok) result.stream.onceClosed(admission.release);
      else admission.release();
      return result;
    });
  };
}
