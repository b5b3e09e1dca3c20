// The annotating page: what is shown, what is answered, and going back. Items are fetched ahead
// with their pixels, so that the next one is there when a key is pressed; answers are sent by the
// outbox behind the page's back, in order.

import { FieldViewer, PackedFrames, calm } from "./field.js";
import { Items } from "./items.js";
import { Marks } from "./marks.js";
import { Outbox, newId } from "./outbox.js";
import { count, tellSaving } from "./saving.js";

const LEAST_MS = 100; // a key pressed sooner after an item appeared was meant for the one before
const $ = (id) => document.getElementById(id);
const root = $("annotate");
const about = JSON.parse(root.dataset.about);
const base = `/annotate/${about.task}`;
const csrf = document.querySelector('meta[name="csrf"]').content;
const cells = about.kind === "cells";
const classes = [...about.classes, about.unsure];

let current = null;
let draft = null; // note, tags, moment of death, of the item that is shown
let shownAt = 0;
let hiddenMs = 0;
let hiddenAt = 0;
let paused = calm();
let tagging = false;
let gain = Number(remembered("gain", 1));
let turn = Promise.resolve(); // what keys ask for happens one after the other

const viewer = new FieldViewer($("stage"), blank(), { label: "Loading the first item" });
viewer.fps = Number(remembered("fps", 5));
const marks = cells ? new Marks(viewer, $("marks"), about.classes, say) : null;
const outbox = new Outbox(`${about.study} ${about.person}`, csrf, tellSaving);
const items = new Items(base, outbox);

function blank() {
  return new PackedFrames({ frames: [new Uint8Array(1)], height: 1, width: 1, type: "uint8" });
}

function remembered(name, otherwise) {
  try {
    return localStorage.getItem(`livewell ${name}`) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(`livewell ${name}`, value);
  } catch {
    // a browser that keeps nothing
  }
}

function say(text) {
  $("said").textContent = text;
}

// items

async function advance() {
  let item;
  try {
    item = await items.next();
  } catch (error) {
    cover(`The next item cannot be fetched: ${error.status ? error.message : "the server does not answer."} Trying again ...`);
    setTimeout(() => act(async () => { if (!current) await advance(); }), 2000);
    return;
  }
  if (item) await show(item);
  else ended();
}

async function show(item, answered = null) {
  current = item;
  draft = { note: "", tags: new Set(), death: null, ready: false };
  const slow = setTimeout(() => cover("Loading the image ..."), 150);
  const pixels = await item.pixels;
  clearTimeout(slow);
  if (current !== item) return;
  if (pixels.fault) {
    items.unread += 1;
    current = null;
    say("An image could not be read and is left out.");
    await advance();
    return;
  }
  cover("");
  draft = {
    note: answered?.note ?? "",
    tags: new Set(answered?.tags ?? []),
    death: answered?.death_t ?? null,
    before: answered?.answer ?? null,
    ready: true,
  };
  const what = pixels.frames.length > 1 ? `sequence of ${pixels.frames.length} frames` : "image";
  viewer.show(new PackedFrames(pixels), {
    limits: pixels.limits,
    pixelUm: item.pixel_um,
    label: `Item ${items.given + 1}: ${what}`,
  });
  contrast(0);
  if (paused) viewer.pause();
  else viewer.play();
  marks?.begin(answered?.marks ?? []);
  shownAt = performance.now();
  hiddenMs = 0;
  tell();
}

function cover(text) {
  $("cover").hidden = !text;
  $("cover").textContent = text;
}

function ended() {
  current = null;
  viewer.pause();
  $("end").hidden = false;
  root.classList.add("ended");
  tell();
  const { saved, unread, given } = items;
  const why = saved.closed ? "This task was closed by its owner." : "There is nothing left for you to do.";
  const left = unread ? ` ${unread} could not be read and ${unread === 1 ? "was" : "were"} left out.` : "";
  $("end-text").textContent = `${why} ${told(given, saved.items)}${left}`;
  say($("end-text").textContent);
  $("end").focus();
}

function reopened() {
  $("end").hidden = true;
  root.classList.remove("ended");
}

// answers

function act(what) {
  turn = turn.then(what).catch((error) => say(error.message));
  return turn;
}

function seconds() {
  return Math.round(Math.max(performance.now() - shownAt - hiddenMs, 0)) / 1000;
}

async function answer(name) {
  const body = {
    id: newId(),
    showing: current.showing,
    answer: name,
    note: draft.note,
    tags: [...draft.tags],
    death_t: draft.death,
    seconds: seconds(),
  };
  if (cells) body.marks = marks.all();
  outbox.add(`${base}/answers`, body);
  items.answered(current, body);
  say(`${name}${cells ? `, ${count(body.marks.length, "mark")}` : ""}. ${count(items.given, "answer")}.`);
  current = null;
  await advance();
}

async function undo() {
  if (cells && current && marks.undo()) return;
  const last = await items.back(current);
  if (!last) {
    say("There is no answer of yours to undo.");
    return;
  }
  outbox.add(`${base}/answers`, { id: newId(), showing: last.item.showing, undoes: last.answered.id });
  reopened();
  await show(last.item, last.answered);
  say(`Undone. The answer was ${last.answered.answer}.`);
}

// what the page says

function told(given, all) {
  return `You have given ${count(given, "answer")}; the task has ${count(all, "item")}.`;
}

function tell() {
  const text = told(items.given, items.saved.items);
  $("progress").textContent = current ? `Item ${items.given + 1}. ${text}` : text;
  if (!draft) return;
  $("note").value = draft.note;
  for (const box of document.querySelectorAll("#tags input")) box.checked = draft.tags.has(box.value);
  for (const button of document.querySelectorAll("[data-answer]")) {
    const before = draft.before === button.dataset.answer;
    button.classList.toggle("before", before);
    button.querySelector(".was").hidden = !before;
  }
  tellTime();
}

function tellTime() {
  const frames = viewer.source.frames;
  $("time").hidden = frames < 2;
  $("frame").max = frames - 1;
  $("frame").value = viewer.frame;
  const death = draft?.death ?? null;
  $("frame-text").textContent = `Frame ${viewer.frame + 1} of ${frames}`;
  const button = $("death");
  if (button) {
    button.setAttribute("aria-pressed", death !== null);
    $("death-text").textContent = death === null ? "" : `Dies in frame ${death + 1}`;
    $("death-mark").hidden = death === null;
    // a mark under the slider, whose thumb is as wide as its padding
    if (death !== null) $("death-mark").style.setProperty("--at", frames > 1 ? death / (frames - 1) : 0);
  }
}

// what keys and buttons do

function contrast(by) {
  gain = Math.min(Math.max(gain * 1.25 ** by, 0.1), 40);
  remember("gain", gain);
  const [low, high] = viewer.limits;
  const middle = (low + high) / 2;
  const half = (high - low) / 2 / gain;
  viewer.setContrast(middle - half, middle + half);
}

function step(by) {
  pause(true);
  viewer.stepFrame(by);
}

function pause(still) {
  paused = still;
  if (still) viewer.pause();
  else viewer.play();
}

function death() {
  if (!draft?.ready || !$("death")) return;
  pause(true);
  draft.death = draft.death === viewer.frame ? null : viewer.frame;
  say(draft.death === null ? "The moment of death is taken away." : `Dies in frame ${draft.death + 1}.`);
  tellTime();
}

function tag(name) {
  if (!draft?.ready || !about.tags.includes(name)) return;
  if (!draft.tags.delete(name)) draft.tags.add(name);
  say(`Tag ${name} ${draft.tags.has(name) ? "put" : "taken away"}.`);
  tell();
}

function pressed(name) {
  if (cells && name !== about.unsure.name && name !== "done") {
    marks.choose(name);
    return;
  }
  // the answer is to what was there when the key was pressed, never to one that is not shown yet
  const item = current;
  if (!item || !draft.ready || performance.now() - shownAt < LEAST_MS) return;
  act(async () => { if (current === item) await answer(name); });
}

const keys = {
  z: () => act(undo),
  Backspace: () => act(undo),
  " ": () => pause(!paused),
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  "[": () => contrast(-1),
  "]": () => contrast(1),
  "+": () => viewer.zoomBy(1.25),
  "=": () => viewer.zoomBy(1.25),
  "-": () => viewer.zoomBy(0.8),
  "0": () => viewer.fit(),
  "?": () => $("help").showModal(),
  d: death,
  n: () => $("note").focus(),
  t: () => {
    tagging = about.tags.length > 0;
    if (tagging) say(`Tag: ${about.tags.map((name, n) => `${n + 1} ${name}`).join(", ")}.`);
  },
};
const repeatable = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "[", "]", "+", "=", "-"]);

/** A key's letter; on keyboards of other scripts that of its place on a Latin one. */
function keyOf(event) {
  if (event.key.length > 1) return event.key;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  return (event.key.charCodeAt(0) > 127 && letter ? letter : event.key).toLowerCase();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const { target } = event;
  const writing = target.matches("textarea, input:not([type=checkbox], [type=range]), select");
  if (writing) {
    if (event.key === "Escape") viewer.canvas.focus();
    return;
  }
  // a button or a slider that has the focus keeps the keys by which it is used
  if (target.matches("button, a, summary, input") && [" ", "Enter"].includes(event.key)) return;
  if (target.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
  const key = keyOf(event);
  let what = null;
  if (tagging && /^[1-9]$/.test(key)) what = () => tag(about.tags[Number(key) - 1]);
  else if (cells && !target.closest("#marks")) what = marks.key(event.key, event.shiftKey);
  if (key !== "t") tagging = false;
  const named = classes.find((each) => each.key === key);
  what ??= named ? () => pressed(named.name) : null;
  if (cells && key === "Enter") what = () => pressed("done");
  what ??= keys[key];
  if (!what) return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat || repeatable.has(event.key)) what();
}, true);

function on(id, name, what) {
  $(id)?.addEventListener(name, what);
}

for (const button of document.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => {
    // so that the space bar plays, and does not answer again
    viewer.canvas.focus({ preventScroll: true });
    pressed(button.dataset.answer);
  });
}
on("undo", "click", () => act(undo));
on("end-undo", "click", () => act(undo));
on("again", "click", () => act(async () => {
  reopened();
  await advance();
}));
on("play", "click", () => pause(!paused));
on("before", "click", () => step(-1));
on("after", "click", () => step(1));
on("frame", "input", () => {
  pause(true);
  viewer.setFrame(Number($("frame").value));
});
on("speed", "change", () => {
  viewer.fps = Math.min(Math.max(Number($("speed").value) || 5, 1), 30);
  $("speed").value = viewer.fps;
  remember("fps", viewer.fps);
});
on("death", "click", death);
on("less", "click", () => contrast(-1));
on("more", "click", () => contrast(1));
on("closer", "click", () => viewer.zoomBy(1.25));
on("farther", "click", () => viewer.zoomBy(0.8));
on("fit", "click", () => viewer.fit());
on("move", "click", () => {
  viewer.tool = viewer.tool === "pan" ? "box" : "pan";
  $("move").setAttribute("aria-pressed", viewer.tool === "pan");
});
on("keys", "click", () => $("help").showModal());
on("forget", "click", () => outbox.forget());
on("note", "input", () => { if (draft) draft.note = $("note").value; });
for (const box of document.querySelectorAll("#tags input")) {
  box.addEventListener("change", () => tag(box.value));
}
viewer.addEventListener("frame", tellTime);
viewer.addEventListener("play", () => {
  $("play").textContent = viewer.playing ? "Pause" : "Play";
});
viewer.painters.push((draw) => {
  if (!current?.patch) return;
  const [y0, x0, y1, x1] = current.patch;
  const [left, top] = viewer.toScreen(y0, x0);
  const [right, bottom] = viewer.toScreen(y1, x1);
  for (const [width, colour] of [[4, "#000"], [2, "#f0e442"]]) {
    draw.lineWidth = width;
    draw.strokeStyle = colour;
    draw.strokeRect(left, top, right - left, bottom - top);
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) hiddenAt = performance.now();
  else if (hiddenAt) hiddenMs += performance.now() - Math.max(hiddenAt, shownAt);
});
window.addEventListener("beforeunload", (event) => {
  if (outbox.waiting.length) event.preventDefault();
});

if ($("speed")) $("speed").value = viewer.fps;
act(async () => {
  await outbox.open();
  // those that are on their way are answered, whatever the server says yet
  for (const { body } of outbox.waiting) {
    if (body.undoes) items.seen.delete(body.showing);
    else items.seen.add(body.showing);
  }
  await advance();
});
