/* A fit that goes on is asked how far it is; class maps are laid over their images. */

import {FieldViewer, PackedFrames, unpack} from "./field.js";
import {COLOURS} from "./overlays.js";

const EVERY_MS = 1000;

function watch(running) {
  const step = document.getElementById("step");
  const ask = async () => {
    try {
      const answer = await fetch(`/fits/${running.dataset.job}`);
      if (answer.ok) {
        const {state, step: text, known} = await answer.json();
        const open = state === "waiting" || state === "running";
        if (!open || known.join(" ") !== running.dataset.known) {
          window.location.reload();
          return;
        }
        const said = state === "waiting" ? "Waiting for other work to end" : text || "Beginning";
        if (step.textContent !== said) step.textContent = said;
      }
    } catch { /* the line is down for now */ }
    setTimeout(ask, EVERY_MS);
  };
  setTimeout(ask, EVERY_MS);
}

/** What cell `at` of planes is called: class, its probability, and how far from doubt, 0 to 1.
 *
 * Of two classes there is the second's plane alone, and the threshold of the model decides.
 */
function told(planes, at, threshold) {
  if (planes.length === 1) {
    const p = planes[0][at];
    if (!Number.isFinite(p)) return null;
    return p >= threshold
      ? {code: 1, p, sure: (p - threshold) / Math.max(1 - threshold, 1e-6)}
      : {code: 0, p: 1 - p, sure: (threshold - p) / Math.max(threshold, 1e-6)};
  }
  let best = null;
  planes.forEach((plane, code) => {
    if (Number.isFinite(plane[at]) && (!best || plane[at] > best.p)) best = {code, p: plane[at]};
  });
  if (best) best.sure = (best.p - 1 / planes.length) / (1 - 1 / planes.length);
  return best;
}

function cover({frames, height, width}, threshold) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const shown = new ImageData(width, height);
  for (let at = 0; at < height * width; at += 1) {
    const found = told(frames, at, threshold);
    if (found) {
      const tone = COLOURS[found.code % COLOURS.length];
      shown.data.set([...tone, Math.round(255 * (0.25 + 0.75 * found.sure))], 4 * at);
    }
  }
  canvas.getContext("2d").putImageData(shown, 0, 0);
  return canvas;
}

async function draw(figure, covered) {
  const classes = JSON.parse(figure.dataset.classes);
  const said = figure.querySelector(".value");
  const threshold = Number(figure.dataset.threshold || 0.5);
  try {
    const [image, map] = await Promise.all(["pixels", "values"].map(
      async (name) => unpack(await fetch(`${figure.dataset.map}/${name}`))));
    const viewer = new FieldViewer(figure.querySelector(".viewer"), new PackedFrames(image), {
      label: `Image under its class map: ${figure.querySelector("figcaption").textContent.trim()}`,
      pixelUm: Number(figure.dataset.pixelUm) || null,
    });
    viewer.autoContrast();
    const made = {canvas: cover(map, threshold), box: map.box};
    const overlay = {of: () => made, opacity: 0.6, hidden: !covered.checked};
    viewer.overlays.push(overlay);
    viewer.redraw();
    covered.addEventListener("change", () => {
      overlay.hidden = !covered.checked;
      viewer.redraw();
    });
    viewer.addEventListener("hover", ({detail}) => {
      if (!detail) return;
      const [y0, x0, y1, x1] = map.box;
      const row = Math.floor((detail.y - y0) / (y1 - y0) * map.height);
      const column = Math.floor((detail.x - x0) / (x1 - x0) * map.width);
      const inside = row >= 0 && column >= 0 && row < map.height && column < map.width;
      const found = inside ? told(map.frames, row * map.width + column, threshold) : null;
      said.textContent = found ? `${classes[found.code]}: ${(100 * found.p).toFixed(0)}%` : "No cells here.";
    });
    figure.dataset.drawn = "yes";
  } catch (error) {
    said.textContent = error.message;
  }
}

const running = document.getElementById("running");
if (running) watch(running);
const covered = document.getElementById("covered");
document.querySelectorAll(".map").forEach((figure) => draw(figure, covered));
