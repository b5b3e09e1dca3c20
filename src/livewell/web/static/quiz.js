// A quiz: images one at a time, answers that stand, and the truth only of those that are studied.

import { FieldViewer, PackedFrames, faultOf, unpack } from "./field.js";
import { newId } from "./outbox.js";

const $ = (id) => document.getElementById(id);
const root = $("quiz");
const about = JSON.parse(root.dataset.about);
const base = `/quiz/${about.task}`;
const csrf = document.querySelector('meta[name="csrf"]').content;
const TITLES = { before: "First part", study: "Studying", after: "Last part", end: "Done", closed: "Closed" };
const AGAIN_MS = 2000;

let part = null;
let items = [];
let current = null;
let shownAt = 0;
let busy = false;
let gain = 1;
const pixels = new Map();
const viewer = new FieldViewer($("stage"), new PackedFrames(
  { frames: [new Uint8Array(1)], height: 1, width: 1, type: "uint8" }), { label: "The image" });
viewer.painters.push((draw) => {
  if (!current?.patch) return;
  const [y0, x0, y1, x1] = current.patch;
  const [left, top] = viewer.toScreen(y0, x0);
  const [right, bottom] = viewer.toScreen(y1, x1);
  for (const [width, tone] of [[5, "#000"], [2, "#fff"]]) {
    draw.lineWidth = width;
    draw.strokeStyle = tone;
    draw.strokeRect(left, top, right - left, bottom - top);
  }
});

async function got(address) {
  const response = await fetch(address, { signal: AbortSignal.timeout(60000) });
  if (!response.ok) throw await faultOf(response);
  return response;
}

/** What is asked for, tried until the server answers; what it refuses is an error. */
async function surely(what) {
  for (;;) {
    try {
      const found = await what();
      $("trouble").textContent = "";
      return found;
    } catch (error) {
      if (error.status && error.status < 500 && error.status !== 429) throw error;
      $("trouble").textContent = "The server does not answer. Trying again ...";
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }
}

async function pixelsOf(item) {
  const response = await surely(() => got(`/showings/${item.showing}/pixels`));
  return { ...(await unpack(response)), limits: response.headers.get("X-Limits").split(",").map(Number) };
}

function fetched(item) {
  if (!pixels.has(item.showing)) {
    const made = item.unreadable ? Promise.reject(new Error("This image cannot be read.")) : pixelsOf(item);
    made.catch(() => {});
    pixels.set(item.showing, made);
  }
  return pixels.get(item.showing);
}

async function next() {
  const found = await surely(async () => (await got(`${base}/next?count=4`)).json());
  items = found.items;
  // those that were answered are not kept: a quiz may be of hundreds of large images
  const waiting = new Set(items.map(({ showing }) => showing));
  for (const showing of pixels.keys()) if (!waiting.has(showing)) pixels.delete(showing);
  items.forEach(fetched);
  const at = found.part ?? (found.closed ? "closed" : "end");
  const own = found.progress.find((each) => each.part === at);
  const number = found.progress.findIndex((each) => each.part === at) + 1;
  $("progress").textContent = own
    ? `Part ${number} of ${found.progress.length}: ${own.done} of ${own.items} answered` : TITLES[at];
  if (at !== part) {
    pause(at);
    return;
  }
  await show(items[0]);
}

function pause(at) {
  part = at;
  current = null;
  $("desk").hidden = true;
  $("pause").hidden = false;
  $("pause-title").textContent = TITLES[at];
  for (const each of $("pause").querySelectorAll("[data-part]")) each.hidden = each.dataset.part !== at;
  $("begin").hidden = at === "end" || at === "closed";
  $("pause").focus();
}

async function show(item) {
  current = null;
  told("");
  $("pause").hidden = true;
  $("desk").hidden = false;
  try {
    const found = await fetched(item);
    current = item;
    viewer.show(new PackedFrames(found), { limits: found.limits, pixelUm: item.pixel_um, label: "The image to call" });
    contrast(0);
    cover("");
  } catch (error) {
    current = item;
    cover(`${error.message} Answer unsure.`);
  }
  shownAt = performance.now();
  document.body.dataset.showing = item.showing;
  for (const button of $("answers").children) button.disabled = false;
  $("answers").hidden = false;
  if (part === "study" && $("at-once").checked) await reveal(null);
}

function cover(text) {
  $("cover").hidden = !text;
  $("cover").textContent = text;
}

function told(text, tone = "") {
  $("told").hidden = !text;
  $("told").className = `note ${tone}`;
  $("told-text").textContent = text;
}

async function answer(name) {
  if (busy || !current || (part === "study" && !$("told").hidden)) return;
  busy = true;
  for (const button of $("answers").children) button.disabled = true;
  try {
    await keep(name);
    if (part === "study") await reveal(name);
    else await next();
  } catch (error) {
    $("trouble").textContent = error.message;
  }
  busy = false;
}

/** Keep an answer; one that was sent twice is kept once, for it has a name of its own. */
async function keep(name) {
  const body = {
    id: newId(), showing: current.showing, answer: name, seconds: (performance.now() - shownAt) / 1000,
  };
  await surely(async () => {
    const response = await fetch(`/annotate/${about.task}/answers`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(body),
    });
    // 409: it is answered already, as on another page
    if (!response.ok && response.status !== 409) throw await faultOf(response);
  });
}

async function reveal(guess) {
  const { truth } = await surely(async () => (await got(`${base}/truth/${current.showing}`)).json());
  const right = guess === truth;
  const said = guess === null || guess === about.unsure.name ? "" : right ? " You said so." : ` You said ${guess}.`;
  $("answers").hidden = true;
  told(`It is ${truth}.${said}`, guess === null ? "" : right ? "right" : "wrong");
  $("go-on").focus();
}

async function goOn() {
  if (busy || $("told").hidden) return;
  busy = true;
  try {
    // what was seen without a guess is no answer
    if ($("at-once").checked && !$("answers").firstElementChild.disabled) await keep(about.unsure.name);
    await next();
  } catch (error) {
    $("trouble").textContent = error.message;
  }
  busy = false;
}

function contrast(by) {
  gain = Math.min(Math.max(gain * 1.25 ** by, 0.1), 40);
  const [low, high] = viewer.limits;
  const [middle, half] = [(low + high) / 2, (high - low) / 2 / gain];
  viewer.setContrast(middle - half, middle + half);
}

$("begin").addEventListener("click", () => show(items[0]));
$("go-on").addEventListener("click", goOn);
$("less").addEventListener("click", () => contrast(-1));
$("more").addEventListener("click", () => contrast(1));
for (const button of $("answers").children) {
  button.addEventListener("click", () => answer(button.dataset.answer));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("desk").hidden || event.repeat) return;
  if (event.key === "[") contrast(-1);
  if (event.key === "]") contrast(1);
  const found = [...about.classes, about.unsure].find(({ key }) => key && key === event.key.toLowerCase());
  if (found) answer(found.name);
});
next().catch((error) => { $("progress").textContent = error.message; });
