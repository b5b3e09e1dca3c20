// Answers on their way: kept in this browser until the server has said that they are durable.
// They go out one after the other, each with the identifier that it was made with, so that one
// that was sent twice is kept once. What is unsent when the page is closed is sent by the next.

import { faultOf } from "./field.js";

const STORE = "answers";
const WAIT_MS = [500, 1000, 2000, 4000, 8000, 15000];

/** A random identifier (UUID, version 4); `crypto.randomUUID` is missing on plain http. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Entries by number, in the order in which they were put; nothing where a browser keeps none. */
class Kept {
  async open(name) {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "order" });
      this.database = await asked(request);
    } catch {
      this.database = null; // as in some private windows
    }
  }

  get lasting() {
    return this.database !== null;
  }

  store(mode) {
    return this.database.transaction(STORE, mode, { durability: "strict" }).objectStore(STORE);
  }

  async all() {
    return this.lasting ? asked(this.store("readonly").getAll()) : [];
  }

  async put(entry) {
    if (this.lasting) await asked(this.store("readwrite").put(entry));
  }

  async remove(entry) {
    if (this.lasting) await asked(this.store("readwrite").delete(entry.order));
  }
}

export class Outbox {
  /**
   * @param {string} owner whose answers these are: study and person
   * @param {string} csrf what requests must bring along
   * @param {(outbox: Outbox) => void} changed called whenever what is waiting is another
   */
  constructor(owner, csrf, changed) {
    this.owner = owner;
    this.csrf = csrf;
    this.changed = changed;
    this.waiting = [];
    this.refused = [];
    this.trouble = "";
    this.kept = new Kept();
    this.order = 0;
    this.failures = 0;
    this.wake = null;
  }

  /** Take up what an earlier page left unsent, and begin to send. */
  async open() {
    await this.kept.open(`livewell ${this.owner}`);
    const left = await this.kept.all();
    this.order = Math.max(Date.now(), ...left.map((entry) => entry.order));
    this.waiting.push(...left.filter((entry) => !entry.refused));
    this.refused.push(...left.filter((entry) => entry.refused));
    window.addEventListener("online", () => this.wake?.());
    window.addEventListener("focus", () => this.wake?.());
    this.send();
    this.changed(this);
  }

  /** Whether answers outlive this page where the server does not take them. */
  get lasting() {
    return this.kept.lasting;
  }

  add(address, body) {
    this.order += 1;
    const entry = { order: this.order, address, body };
    entry.stored = this.kept.put({ ...entry }).catch(() => {});
    this.waiting.push(entry);
    this.changed(this);
    this.send();
  }

  /** What the server refused for good is dropped, once somebody has read why. */
  async forget() {
    const gone = this.refused.splice(0);
    for (const entry of gone) await this.kept.remove(entry);
    this.changed(this);
  }

  async send() {
    if (this.sending) return;
    this.sending = true;
    while (this.waiting.length) {
      const entry = this.waiting[0];
      const { done, trouble, refusal } = await this.try(entry);
      this.trouble = trouble ?? "";
      if (trouble) {
        this.changed(this);
        await this.pause();
        continue;
      }
      this.failures = 0;
      this.waiting.shift();
      await entry.stored;
      if (done) {
        await this.kept.remove(entry).catch(() => {});
      } else {
        const { stored, ...plain } = entry;
        this.refused.push({ ...plain, refused: refusal });
        await this.kept.put({ ...plain, refused: refusal }).catch(() => {});
      }
      this.changed(this);
    }
    this.sending = false;
  }

  async try(entry) {
    let response;
    try {
      response = await fetch(entry.address, {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRF-Token": this.csrf },
        body: JSON.stringify(entry.body),
        signal: AbortSignal.timeout(30000),
      });
    } catch {
      return { trouble: "the server does not answer" };
    }
    if (response.ok) return { done: true };
    if (response.status === 401 || response.status === 403) {
      return { trouble: "you are signed out; sign in in another tab, then reload this page" };
    }
    if (response.status >= 500 || response.status === 408 || response.status === 429) {
      return { trouble: "the server cannot take them now" };
    }
    return { refusal: (await faultOf(response)).message };
  }

  pause() {
    const ms = WAIT_MS[Math.min(this.failures, WAIT_MS.length - 1)];
    this.failures += 1;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
