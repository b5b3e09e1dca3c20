/* What runs say of places, drawn over an image: class maps and detections. */

import {unpack} from "./pixels.js";

/** Okabe and Ito's colours, in the order of the classes. */
export const COLOURS = [
  [0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167],
  [86, 180, 233], [230, 159, 0], [240, 228, 66], [118, 118, 118],
];
const MOST_LINES = 300000;

/** A class map of every frame: probabilities of the second of two classes, or of every class. */
export class MapOverlay {
  constructor(address, about, viewer) {
    Object.assign(this, {address, about, viewer, opacity: 0.55, hidden: true});
    this.frames = new Map();
    this.threshold = about.threshold ?? 0.5;
  }

  of(frame) {
    if (this.hidden) return null;
    if (!this.frames.has(frame)) {
      this.frames.set(frame, null);
      this.load(frame);
    }
    return this.frames.get(frame);
  }

  async load(frame) {
    try {
      const response = await fetch(`${this.address}/map?t=${frame}`);
      const map = await unpack(response);
      const stride = Number(response.headers.get("X-Stride"));
      const origin = response.headers.get("X-Origin").split(",").map(Number);
      if (this.frames.size > 400) this.frames.clear();
      this.frames.set(frame, this.made(map, stride, origin));
    } catch (error) {
      this.frames.set(frame, {fault: error.message});
      this.viewer.emit("fault", {what: error.message, frame});
    }
    this.viewer.redraw();
    this.viewer.emit("overlay");
  }

  made({frames, height, width}, stride, [y, x]) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, {width, height});
    const image = new ImageData(width, height);
    const called = new Int8Array(width * height).fill(-1);
    for (let i = 0; i < called.length; i += 1) {
      const p = frames.map((each) => each[i]);
      if (p.some((each) => !Number.isFinite(each))) continue;
      let strength;
      if (p.length === 1) {
        // as the model decides: the paler, the nearer to its threshold
        called[i] = p[0] >= this.threshold ? 1 : 0;
        const room = called[i] ? 1 - this.threshold : this.threshold;
        strength = Math.abs(p[0] - this.threshold) / Math.max(room, 1e-6);
      } else {
        called[i] = p.indexOf(Math.max(...p));
        strength = p[called[i]];
      }
      const colour = COLOURS[called[i] % COLOURS.length];
      image.data.set([...colour, Math.round(255 * (0.1 + 0.9 * strength))], 4 * i);
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    const box = [y - stride / 2, x - stride / 2, y + (height - 0.5) * stride, x + (width - 0.5) * stride];
    const edges = borders(called, height, width);
    const paint = (draw, viewer) => line(draw, viewer, edges, box, stride);
    return {canvas, box, paint, frames, height, width};
  }

  /** What the map says at a place, in words; empty where it says nothing. */
  at(frame, y, x) {
    const made = this.frames.get(frame);
    if (!made || !made.canvas) return "";
    const [y0, x0, y1, x1] = made.box;
    const row = Math.floor((y - y0) / (y1 - y0) * made.height);
    const column = Math.floor((x - x0) / (x1 - x0) * made.width);
    if (row < 0 || column < 0 || row >= made.height || column >= made.width) return "";
    const p = made.frames.map((each) => each[row * made.width + column]);
    if (p.some((each) => !Number.isFinite(each))) return "nothing to judge";
    const {classes} = this.about;
    if (p.length === 1) return `p(${classes[1]}) ${p[0].toFixed(2)}`;
    return p.map((each, n) => `p(${classes[n]}) ${each.toFixed(2)}`).join(", ");
  }

  legend() {
    const {classes, threshold} = this.about;
    const said = document.createElement("span");
    said.className = "scale";
    if (classes.length <= 2) {
      said.append(`${classes[0]} 0`, document.createElement("i"), `1 ${classes[1]}`);
      const at = threshold === null ? "0.50, for the model's own threshold is unknown" : threshold.toFixed(2);
      said.append(`; outlined: p(${classes[1]}) of at least ${at}`);
      if (this.about.frame !== null) said.append(`; of frame ${this.about.frame + 1} alone`);
      return said;
    }
    classes.forEach((name, n) => said.append(swatch(n, name)));
    return said;
  }
}

function swatch(number, name) {
  const mark = document.createElement("span");
  mark.className = `mark c${number % COLOURS.length}`;
  const letter = document.createElement("b");
  letter.textContent = name.slice(0, 1).toUpperCase();
  mark.append(letter, name);
  return mark;
}

/** Edges between cells that are called otherwise: [row, column, down] each. */
function borders(called, height, width) {
  const found = [];
  for (let row = 0; row < height && found.length < MOST_LINES; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const here = called[row * width + column];
      const right = column + 1 < width ? called[row * width + column + 1] : here;
      const below = row + 1 < height ? called[(row + 1) * width + column] : here;
      if (right !== here) found.push([row, column + 1, true]);
      if (below !== here) found.push([row + 1, column, false]);
    }
  }
  return found;
}

function line(draw, viewer, edges, [top, left], stride) {
  const trace = () => {
    draw.beginPath();
    for (const [row, column, down] of edges) {
      const from = viewer.toScreen(top + row * stride, left + column * stride);
      const to = viewer.toScreen(
        top + (row + (down ? 1 : 0)) * stride, left + (column + (down ? 0 : 1)) * stride);
      draw.moveTo(...from);
      draw.lineTo(...to);
    }
  };
  for (const [style, wide] of [["#000", 3], ["#fff", 1.2]]) {
    draw.strokeStyle = style;
    draw.lineWidth = wide;
    trace();
    draw.stroke();
  }
}

/** Places that a run called, as rings and dashed boxes. */
export class DetectionOverlay {
  constructor(address, about, viewer) {
    Object.assign(this, {address, about, viewer, opacity: 1, hidden: true, rows: null});
  }

  of(frame) {
    if (this.hidden) return null;
    if (this.rows === null) {
      this.rows = [];
      this.load();
    }
    const rows = this.rows.filter((row) => row.t === null || row.t === frame);
    return {rows, paint: (draw, viewer) => rings(draw, viewer, rows, this.opacity)};
  }

  async load() {
    const response = await fetch(`${this.address}/detections`);
    if (!response.ok) {
      this.viewer.emit("fault", {what: "The detections cannot be read."});
      return;
    }
    this.rows = (await response.json()).detections;
    this.viewer.redraw();
    this.viewer.emit("overlay");
  }

  at(frame, y, x) {
    const near = (this.rows || []).find((row) => (row.t === null || row.t === frame)
      && Math.hypot(row.y - y, row.x - x) * this.viewer.scale < 14);
    return near ? `detection${near.p === null ? "" : `, p ${near.p.toFixed(2)}`}` : "";
  }

  legend() {
    const said = document.createElement("span");
    const here = (this.rows || []).filter((row) => row.t === null || row.t === this.viewer.frame);
    said.textContent = this.rows ? `ring: a detection; dashes: its box; ${here.length} in this frame` : "";
    return said;
  }
}

function rings(draw, viewer, rows, opacity) {
  draw.globalAlpha = opacity;
  for (const row of rows) {
    const [x, y] = viewer.toScreen(row.y, row.x);
    for (const [style, wide] of [["#000", 4], ["#f0e442", 2]]) {
      draw.strokeStyle = style;
      draw.lineWidth = wide;
      draw.setLineDash([]);
      draw.beginPath();
      draw.arc(x, y, 9, 0, 2 * Math.PI);
      draw.stroke();
      if (row.y0 !== null && row.y1 - row.y0 > 1) {
        const [left, top] = viewer.toScreen(row.y0, row.x0);
        draw.setLineDash([5, 4]);
        draw.strokeRect(left, top, (row.x1 - row.x0) * viewer.scale, (row.y1 - row.y0) * viewer.scale);
      }
    }
  }
}
