// Items of a task, fetched ahead with their pixels.

import { faultOf, unpack } from "./field.js";

const AHEAD = 5; // items that are fetched before they are asked for
const UNREADABLE = [404, 410, 422]; // the image is gone or broken; after others it is tried again
const REMEMBERED = 20; // items whose pixels are kept after they were answered

async function got(address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(60000) });
  if (!response.ok) throw await faultOf(response);
  return response;
}

/** Pixels of an item, {frames, ..., limits}, or {fault} where they cannot be read. */
async function pixelsOf(item) {
  if (item.unreadable) return { fault: true };
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    try {
      const response = await got(`/showings/${item.showing}/pixels`);
      const limits = response.headers.get("X-Limits").split(",").map(Number);
      return { ...(await unpack(response)), limits };
    } catch (error) {
      if (UNREADABLE.includes(error.status)) return { fault: true };
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

export class Items {
  constructor(base, outbox) {
    this.base = base;
    this.outbox = outbox;
    this.queue = []; // items that wait
    this.seen = new Set(); // showings that are waiting, answered or left out on this page
    this.past = []; // {item, answered} that can be undone, the latest last
    this.saved = { mine: 0, items: 0, closed: false };
    this.since = 0; // answers of this page that the server's number does not hold
    this.unread = 0;
    this.fetching = null;
  }

  /** Answers of this person that stand, with those that are on their way. */
  get given() {
    return this.saved.mine + this.since;
  }

  /** Fetch items until enough wait. */
  ahead() {
    this.fetching ??= this.fetched().finally(() => { this.fetching = null; });
    return this.fetching;
  }

  async fetched() {
    const { outbox, since } = this;
    const unsaved = outbox.waiting.length;
    const count = Math.min(AHEAD + 1 + unsaved + this.unread, 200);
    const { items, progress, closed } = await (await got(`${this.base}/next?count=${count}`)).json();
    if (!unsaved && !outbox.waiting.length && since === this.since) {
      this.saved = progress;
      this.since = 0;
    }
    this.saved.closed = closed;
    for (const item of items) {
      if (this.seen.has(item.showing)) continue;
      this.seen.add(item.showing);
      this.queue.push(this.withPixels(item));
    }
  }

  /** The next item, or null where there is none; an error where it cannot be asked for. */
  async next() {
    if (!this.queue.length) await this.ahead();
    if (!this.queue.length) {
      // answers on their way are not known to the server yet: it may have more once they are
      await this.drained();
      await this.ahead();
    }
    const item = this.queue.shift() ?? null;
    if (item && this.queue.length < AHEAD) this.ahead().catch(() => {});
    return item;
  }

  withPixels(item) {
    item.pixels ??= pixelsOf(item);
    return item;
  }

  answered(item, body) {
    this.past.push({ item, answered: body });
    const old = this.past[this.past.length - 1 - REMEMBERED];
    if (old) old.item.pixels = null;
    this.since += 1;
  }

  /** The latest answer, {item, answered}, which is taken back; null where there is none. */
  async back(shown) {
    if (!this.past.length) await this.recall();
    const last = this.past.pop() ?? null;
    if (!last) return null;
    this.since -= 1;
    this.withPixels(last.item);
    if (shown) this.queue.unshift(shown);
    return last;
  }

  /** Answers of earlier visits, which the server knows once everything is saved. */
  async recall() {
    if (!(await this.drained())) {
      throw new Error("Answers must be saved before earlier ones can be undone.");
    }
    const { items } = await (await got(`${this.base}/mine?count=${REMEMBERED}`)).json();
    for (const { answered, ...item } of items) {
      this.seen.add(item.showing);
      this.past.unshift({ item, answered });
    }
  }

  /** Whether everything is saved, within a few seconds. */
  async drained() {
    for (let n = 0; n < 50 && this.outbox.waiting.length; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return !this.outbox.waiting.length;
  }
}
