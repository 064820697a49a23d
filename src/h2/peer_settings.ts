import { readUint32 } from "../wire/bytes.ts";
import { defaultFrameSize, defaultWindow, h2Code, maxFrameSize, maxWindow, settingId } from "./frames/frame.ts";
import type { Fault } from "./frames/frame_rules.ts";

/** The settings that the peer announced (RFC 9113, section 6.5). */
export class PeerSettings {
  /** The window that its streams begin with. */
  initialWindow: number = defaultWindow;
  /** Largest frame that it takes. */
  maxFrameBytes: number = defaultFrameSize;
  /** It changed HEADER_TABLE_SIZE: the next header block must begin with a size update to 0, as ours is empty. */
  headerTableChanged = false;

  /** Takes the payload of a SETTINGS frame; the fault of the first setting that is not allowed. */
  apply(payload: Uint8Array): Fault | undefined {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      const id = readUint32(payload, at) >>> 16;
      const value = readUint32(payload, at + 2);
      switch (id) {
        case settingId.headerTableSize:
          this.headerTableChanged = true;
          break;
        case settingId.enablePush:
          if (value > 1) return { code: h2Code.protocolError, message: `ENABLE_PUSH is ${value}` };
          break;
        case settingId.initialWindowSize:
          if (value > maxWindow) return { code: h2Code.flowControlError, message: `INITIAL_WINDOW_SIZE is ${value}` };
          this.initialWindow = value;
          break;
        case settingId.maxFrameSize:
          if (value < defaultFrameSize || value > maxFrameSize) {
            return { code: h2Code.protocolError, message: `MAX_FRAME_SIZE is ${value}` };
          }
          this.maxFrameBytes = value;
          break;
      }
    }
    return undefined;
  }
}
