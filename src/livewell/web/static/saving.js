// What the page says of answers that are on their way.

const SLOW_MS = 600; // what is said of saving must last so long to be spoken
const $ = (id) => document.getElementById(id);
let slowly = 0;

export function count(n, noun) {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}

export function tellSaving(box) {
  const waiting = box.waiting.length;
  if (waiting && !box.trouble) {
    put(`${waiting} being saved ...`, "busy");
  } else if (waiting) {
    const kept = box.lasting ? "They are kept in this browser and sent again." : "Keep this page open: they are sent again.";
    put(`${waiting} not saved: ${box.trouble}. ${kept}`, "bad");
  } else if (box.refused.length) {
    put(`All others saved. ${count(box.refused.length, "answer")} refused: ${box.refused[0].refused}`, "bad");
  } else {
    put("All saved.", "good");
  }
  $("forget").hidden = !box.refused.length;
}

/** Shown at once; spoken only when it stays so, for most answers are saved before it is said. */
function put(text, state) {
  $("saving").textContent = text;
  $("saving").dataset.state = state;
  clearTimeout(slowly);
  slowly = setTimeout(() => {
    if ($("saving-said").textContent !== text) $("saving-said").textContent = text;
  }, SLOW_MS);
}
