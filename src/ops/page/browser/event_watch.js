/// <reference lib="dom" />
// @ts-check
/**
 * Watches `/events` for as long as it is wanted. Where it is refused, for there are as many watches as there may be or the
 * program is about to end, it is tried again.
 * @module
 */
import { busyTypes, typesOf } from "../texts/event_texts.js";

/** @typedef {import("../../events/server_event.ts").ServerEvent} ServerEvent */
/** @typedef {import("../../events/agent_event.ts").AgentEvent} AgentEvent */

/** When it is tried again, in milliseconds. */
const retryMs = 15_000;
/** Events that come faster are not for reading, and cost more than they tell: those of single connections are left out. */
const most = { events: 300, inMs: 5_000 };
/** For how long they are left out, in milliseconds. */
const calmMs = 60_000;

export class EventWatch {
  #program;
  #onEvent;
  #onChange;
  /** @type {EventSource | undefined} */
  #source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #calmTimer;
  #refused = false;
  #count = 0;
  #since = 0;
  /** Whether events come. */
  live = false;
  /** Whether those of single connections are left out. */
  calm = false;

  /**
   * @param {string} program whose events these are
   * @param {(event: ServerEvent | AgentEvent) => void} onEvent
   * @param {() => void} onChange `live` or `calm` is another
   */
  constructor(program, onEvent, onChange) {
    this.#program = program;
    this.#onEvent = onEvent;
    this.#onChange = onChange;
  }

  /**
   * Watches from now on.
   * @param {boolean} [again] at once, even where it was refused a moment ago
   */
  open(again = false) {
    if (this.#source !== undefined || (this.#refused && !again)) return;
    this.#refused = false;
    clearTimeout(this.#timer);
    const types = typesOf(this.#program).filter((type) => !busyTypes.includes(type));
    const source = new EventSource(this.calm ? `/events?type=${types.join()}` : "/events");
    this.#source = source;
    source.onopen = () => this.#become(true);
    source.onmessage = ({ data }) => this.#happened(JSON.parse(data));
    source.onerror = () => {
      this.close();
      this.#refused = true;
      this.#timer = setTimeout(() => this.open(true), retryMs);
    };
  }

  /** Watches no more. */
  close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
    this.#refused = false;
    this.#become(false);
  }

  /** @param {boolean} live */
  #become(live) {
    if (this.live === live) return;
    this.live = live;
    this.#onChange();
  }

  /** @param {ServerEvent | AgentEvent} event */
  #happened(event) {
    const now = performance.now();
    if (now - this.#since > most.inMs) {
      this.#since = now;
      this.#count = 0;
    }
    if (++this.#count > most.events && !this.calm) this.#calmDown();
    this.#onEvent(event);
  }

  #calmDown() {
    this.#again(true);
    clearTimeout(this.#calmTimer);
    this.#calmTimer = setTimeout(() => this.#again(false), calmMs);
  }

  /** @param {boolean} calm */
  #again(calm) {
    const open = this.#source !== undefined;
    this.calm = calm;
    this.#count = 0;
    this.close();
    if (open) this.open();
    this.#onChange();
  }
}
