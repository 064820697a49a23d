/// <reference lib="dom" />
// @ts-check
/**
 * The way to the program: `/status` every two seconds, sooner when an event says that something has happened. A page that
 * nobody sees asks for nothing, and one that gets no answer tries again until there is one.
 * @module
 */
import { EventWatch } from "./event_watch.js";

/** @typedef {import("../../status/server_status.ts").ServerStatus} ServerStatus */
/** @typedef {import("../../status/agent_status.ts").AgentStatus} AgentStatus */
/** @typedef {import("../../events/server_event.ts").ServerEvent} ServerEvent */
/** @typedef {import("../../events/agent_event.ts").AgentEvent} AgentEvent */
/** @typedef {"starting" | "live" | "polling" | "lost" | "paused"} State `polling`: answers come, and no events */
/**
 * @typedef {object} Listener
 * @property {() => readonly string[]} queries what is asked for; the answers come in their order
 * @property {(answers: readonly (ServerStatus | AgentStatus)[]) => void} onStatus
 * @property {(event: ServerEvent | AgentEvent) => void} onEvent
 * @property {() => void} onState
 */

const pollMs = 2_000;
/** How soon it is asked after an event, in milliseconds; many of them together. */
const soonMs = 300;
/** An answer costs the program time: it is left alone for so many times what one took. */
const restFactor = 20;
/** No longer than so: where all is slow, people want to see why. */
const mostRestMs = 10_000;
const answerLimitMs = 20_000;
const retryMs = [500, 1_000, 2_000, 3_000];

export class Connection {
  #listener;
  #watch;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** When the timer fires. */
  #due = 0;
  #asking = false;
  #askAgain = false;
  #answered = false;
  #failures = 0;
  #tookMs = 0;
  #endedAt = 0;
  #paused = false;

  /** @param {string} program @param {Listener} listener */
  constructor(program, listener) {
    this.#listener = listener;
    this.#watch = new EventWatch(program, (event) => this.#happened(event), () => listener.onState());
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("pagehide", () => this.#watch.close());
    addEventListener("pageshow", () => this.wake());
  }

  /** @returns {State} */
  get state() {
    if (this.#paused) return "paused";
    if (this.#failures > 0) return "lost";
    if (!this.#answered) return "starting";
    return this.#watch.live ? "live" : "polling";
  }

  /** Whether events of single connections are left out, since there are too many. */
  get calm() {
    return this.#watch.calm;
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.wake();
  }

  /** Begins or goes on, where somebody looks; else ends. */
  wake() {
    clearTimeout(this.#timer);
    if (this.#idle) this.#watch.close();
    else this.ask();
    this.#listener.onState();
  }

  /** Asks now: other data are wanted than last time. */
  ask() {
    if (this.#idle) return;
    if (this.#asking) this.#askAgain = true;
    else void this.#poll();
  }

  get #restMs() {
    return Math.min(mostRestMs, restFactor * this.#tookMs);
  }

  get #idle() {
    return this.#paused || document.visibilityState === "hidden";
  }

  async #poll() {
    clearTimeout(this.#timer);
    this.#asking = true;
    this.#askAgain = false;
    const start = performance.now();
    /** @type {(ServerStatus | AgentStatus)[] | undefined} */
    const answers = await this.#answers().catch(() => undefined);
    this.#asking = false;
    if (answers === undefined) this.#failures++;
    else {
      const again = this.#failures > 0;
      this.#failures = 0;
      this.#answered = true;
      this.#listener.onStatus(answers);
      if (!this.#idle) this.#watch.open(again);
    }
    // With what the page itself took: a browser that is slow is not kept busy either.
    this.#endedAt = performance.now();
    this.#tookMs = this.#endedAt - start;
    this.#listener.onState();
    if (this.#askAgain) this.ask();
    else this.#next(this.#failures > 0 ? retryMs[Math.min(this.#failures, retryMs.length) - 1] ?? pollMs : pollMs);
  }

  async #answers() {
    const answers = [];
    for (const query of this.#listener.queries()) {
      const signal = AbortSignal.timeout(answerLimitMs);
      const response = await fetch(`/status?${query}`, { signal, cache: "no-store" });
      if (!response.ok) throw new Error(`/status answered ${response.status}`);
      answers.push(await response.json());
    }
    return answers;
  }

  /** @param {number} waitMs */
  #next(waitMs) {
    if (this.#idle) return;
    this.#due = this.#endedAt + Math.max(waitMs, this.#restMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), this.#due - performance.now());
  }

  /** @param {ServerEvent | AgentEvent} event */
  #happened(event) {
    this.#listener.onEvent(event);
    if (event.type === "hello" || this.#asking || this.#idle || this.#failures > 0) return;
    const soon = Math.max(performance.now() + soonMs, this.#endedAt + this.#restMs);
    if (soon >= this.#due) return;
    this.#due = soon;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(), soon - performance.now());
  }
}
