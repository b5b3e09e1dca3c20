/* A canvas that shows raw grey levels of a microscope: contrast by lookup table, zoom, frames.
 *
 * Numbers stay as they lie in the file (uint8, uint16, float32). What is chosen here changes the
 * picture on the screen and never the data. Places are [y, x] in pixels of the image; pixel i
 * covers [i, i + 1).
 *
 *   const viewer = new FieldViewer(element, source, {pixelUm, frameS, limits: [low, high]});
 *   viewer.addEventListener("frame", () => ...viewer.frame...);
 *
 * A source has height, width, frames, type, and get(t, step, box) -> Promise of
 * {data, height, width, box: [y0, x0, y1, x1], step}; see PackedFrames and ImageSource.
 *
 * Events: "frame" (another frame is shown), "view" (moved, zoomed or resized), "hover" (detail
 * {y, x, value} or null), "point" ({y, x}) and "box" ({y0, x0, y1, x1}) by the tool of that name,
 * "contrast" ({low, high}), "play" ({playing}), "fault" ({what}).
 */

import {listen} from "./gestures.js";
import {coloured} from "./pixels.js";

export {ImageSource, PackedFrames, faultOf, unpack} from "./pixels.js";

const CALM = window.matchMedia("(prefers-reduced-motion: reduce)");
const STEPS = [1, 2, 4, 8, 16, 32, 64];
const BASE_PIXELS = 1.6e6;
const MOST_ZOOM = 64;
const TILE = 512;
/** Milliseconds of rest before tiles are fetched, so that zooming does not fetch all between. */
const REST_MS = 90;

/** The canvas itself, without sliders: see `controls.js` for these. */
export class FieldViewer extends EventTarget {
  constructor(element, source, options = {}) {
    super();
    this.element = element;
    this.painters = [];
    this.overlays = [];
    this.tool = "pan";
    this.fps = options.fps || 5;
    this.playing = false;
    this.loop = options.loop !== false;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "field-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", options.label || "Image");
    this.canvas.setAttribute("aria-keyshortcuts",
      "+ - 0 1 ArrowUp ArrowDown ArrowLeft ArrowRight Space , .");
    this.notice = document.createElement("p");
    this.notice.className = "field-notice";
    this.notice.setAttribute("role", "status");
    this.notice.hidden = true;
    element.classList.add("field");
    element.replaceChildren(this.canvas, this.notice);
    this.context = this.canvas.getContext("2d");
    listen(this);
    this.sizes = new ResizeObserver(() => {
      if (this.fitted) this.fit(); else this.moved();
    });
    this.sizes.observe(this.canvas);
    this.show(source, options);
  }

  /** Show another image or sequence; the view is kept where it has the same size and `keep`. */
  show(source, options = {}) {
    const same = this.source && source.height === this.source.height
      && source.width === this.source.width;
    this.source = source;
    this.pixelUm = options.pixelUm ?? null;
    this.frameS = options.frameS ?? null;
    this.time0 = options.time0S ?? 0;
    this.limits = options.limits || [0, source.type === "uint8" ? 255 : 65535];
    if (!(options.keep && this.low !== undefined)) [this.low, this.high] = this.limits;
    this.base = STEPS.find((step) => (
      source.height * source.width <= BASE_PIXELS * step * step)) || 64;
    this.drawn = new Map();
    this.shown = null;
    const stays = same && (options.keep || options.view);
    this.fitted = !stays || this.fitted;
    this.setFrame(Math.min(options.frame || 0, source.frames - 1));
    if (this.fitted) this.fit();
    if (options.label) this.canvas.setAttribute("aria-label", options.label);
  }

  // places

  /** [y, x] in the image of a point of the window, as pointer events give it. */
  toImage(clientX, clientY) {
    const edge = this.canvas.getBoundingClientRect();
    return [(clientY - edge.top - this.top) / this.scale, (clientX - edge.left - this.left) / this.scale];
  }

  /** [x, y] in CSS pixels from the canvas's corner of a place in the image. */
  toScreen(y, x) { return [this.left + x * this.scale, this.top + y * this.scale]; }

  /** [y0, x0, y1, x1]: the part of the image that is to be seen. */
  visible() {
    const {height, width} = this.source;
    const [y0, x0] = [-this.top / this.scale, -this.left / this.scale];
    const y1 = y0 + this.canvas.clientHeight / this.scale;
    const x1 = x0 + this.canvas.clientWidth / this.scale;
    return [Math.max(y0, 0), Math.max(x0, 0), Math.min(y1, height), Math.min(x1, width)];
  }

  // zoom

  fitScale() {
    const {height, width} = this.source;
    const high = (this.canvas.clientHeight || 1) / height;
    return Math.min(high, (this.canvas.clientWidth || 1) / width);
  }

  /** The whole image, as large as it goes. */
  fit() {
    this.scale = this.fitScale();
    this.left = (this.canvas.clientWidth - this.source.width * this.scale) / 2;
    this.top = (this.canvas.clientHeight - this.source.height * this.scale) / 2;
    this.fitted = true;
    this.moved();
  }

  /** One pixel of the image is one of the screen. */
  oneToOne() { this.zoomTo(1 / (window.devicePixelRatio || 1)); }

  zoomBy(factor, at) { this.zoomTo(this.scale * factor, at); }

  /** CSS pixels a pixel of the image, about a point [x, y] of the canvas, by default its middle. */
  zoomTo(scale, at = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2]) {
    const least = Math.min(this.fitScale(), 1) / 2;
    const wanted = Math.min(Math.max(scale, least), MOST_ZOOM);
    const factor = wanted / this.scale;
    this.left = at[0] - (at[0] - this.left) * factor;
    this.top = at[1] - (at[1] - this.top) * factor;
    this.scale = wanted;
    this.fitted = false;
    this.moved();
  }

  panBy(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fitted = false;
    this.moved();
  }

  moved() {
    const {height, width} = this.source;
    const keep = 40;
    this.left = Math.min(Math.max(this.left, keep - width * this.scale), this.canvas.clientWidth - keep);
    this.top = Math.min(Math.max(this.top, keep - height * this.scale), this.canvas.clientHeight - keep);
    this.rested = false;
    this.redraw();
    this.emit("view");
  }

  // frames

  /** Show a frame, from 0. */
  setFrame(t) {
    this.frame = Math.min(Math.max(t, 0), this.source.frames - 1);
    this.redraw();
    this.emit("frame", {frame: this.frame});
  }

  stepFrame(by) {
    const {frames} = this.source;
    this.setFrame(this.loop ? (this.frame + by + frames) % frames : this.frame + by);
  }

  /** Hours from the beginning, or null where the time from frame to frame is not known. */
  hours(t = this.frame) {
    return this.frameS === null ? null : (this.time0 + t * this.frameS) / 3600;
  }

  play() {
    if (this.playing || this.source.frames < 2) return;
    this.playing = true;
    this.emit("play", {playing: true});
    this.tick();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    clearTimeout(this.timer);
    this.emit("play", {playing: false});
  }

  toggle() { if (this.playing) this.pause(); else this.play(); }

  /** The next frame when it is here, so that slow lines show every frame. */
  tick() {
    clearTimeout(this.timer);
    this.timer = setTimeout(async () => {
      if (!this.playing) return;
      const next = (this.frame + 1) % this.source.frames;
      if (next === 0 && !this.loop) { this.pause(); return; }
      try { await this.planesOf(next); } catch { /* said when it is shown */ }
      if (!this.playing) return;
      this.setFrame(next);
      this.tick();
    }, 1000 / this.fps);
  }

  // contrast

  setContrast(low, high) {
    this.low = low;
    this.high = Math.max(high, low + (this.source.type === "float32" ? 1e-12 : 1));
    this.drawn.clear();
    this.redraw();
    this.emit("contrast", {low: this.low, high: this.high});
  }

  /** The limits that hold for all frames. */
  resetContrast() { this.setContrast(...this.limits); }

  /** Limits of what is to be seen of this frame: its percentiles 0.3 and 99.7. */
  autoContrast() {
    const values = [];
    const here = this.here();
    const finest = here.filter(({planes}) => planes.step === here[0].planes.step);
    for (const {planes} of finest) {
      const [y0, x0, y1, x1] = this.visible();
      const {box, step, width, data} = planes;
      const rows = [Math.max(y0, box[0]), Math.min(y1, box[2])];
      const columns = [Math.max(x0, box[1]), Math.min(x1, box[3])];
      const by = step * Math.max(1, Math.floor(
        Math.sqrt(((rows[1] - rows[0]) * (columns[1] - columns[0])) / step / step / 65536)));
      for (let y = rows[0]; y < rows[1]; y += by) {
        for (let x = columns[0]; x < columns[1]; x += by) {
          const at = Math.floor((y - box[0]) / step) * width + Math.floor((x - box[1]) / step);
          for (const plane of data) if (Number.isFinite(plane[at])) values.push(plane[at]);
        }
      }
    }
    if (!values.length) return;
    values.sort((a, b) => a - b);
    const at = (share) => values[Math.round(share * (values.length - 1))];
    this.setContrast(at(0.003), at(0.997));
  }

  // what is read

  /** {value, step} at a place: the number of the file, or the mean of step x step pixels. */
  valueAt(y, x) {
    let best = null;
    for (const {planes} of this.here()) {
      const {box: [y0, x0, y1, x1], step, width, data} = planes;
      if (y >= y0 && y < y1 && x >= x0 && x < x1 && (!best || step < best.step)) {
        const at = Math.floor((y - y0) / step) * width + Math.floor((x - x0) / step);
        best = {value: data.length > 1 ? data.map((each) => each[at]) : data[0][at], step};
      }
    }
    return best;
  }

  /** The planes of this frame that are here, the finest first. */
  here() {
    return this.asked().reverse().map(([step, box]) => (
      {planes: this.source.cached(this.frame, step, box)})).filter(({planes}) => planes);
  }

  /** What this view needs of a frame: the whole at a step, and where finer tiles of what is seen.
   *
   * [step, box] each; tiles lie where they always lie, so that moving on fetches only new ones.
   */
  asked() {
    const {height, width} = this.source;
    if (this.source.whole) return [[1, [0, 0, height, width]]];
    const needed = [[this.base, [0, 0, height, width]]];
    const ratio = window.devicePixelRatio || 1;
    const wanted = [...STEPS].reverse().find((step) => step * this.scale * ratio <= 1.01) || 1;
    if (wanted >= this.base) return needed;
    const tile = TILE * wanted;
    const [y0, x0, y1, x1] = this.visible();
    for (let y = Math.floor(y0 / tile) * tile; y < y1; y += tile) {
      for (let x = Math.floor(x0 / tile) * tile; x < x1; x += tile) {
        needed.push([wanted, [y, x, Math.min(y + tile, height), Math.min(x + tile, width)]]);
      }
    }
    return needed;
  }

  planesOf(t) {
    return Promise.all(this.asked().map(([step, box]) => this.source.get(t, step, box)));
  }

  // drawing

  emit(name, detail = null) { this.dispatchEvent(new CustomEvent(name, {detail})); }

  redraw() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      this.draw();
    });
  }

  draw() {
    const ratio = window.devicePixelRatio || 1;
    const {clientWidth, clientHeight} = this.canvas;
    if (!clientWidth || !clientHeight) return;
    const size = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.canvas.width !== size[0] || this.canvas.height !== size[1]) {
      [this.canvas.width, this.canvas.height] = size;
    }
    const draw = this.context;
    draw.setTransform(ratio, 0, 0, ratio, 0, 0);
    draw.clearRect(0, 0, clientWidth, clientHeight);
    const frame = this.frame;
    let any = false;
    for (const [step, box] of this.asked()) {
      const planes = this.source.cached(frame, step, box);
      if (planes) {
        this.place(draw, this.picture(frame, planes), planes);
        any = true;
      } else if (step >= this.base || this.rested) {
        this.load(frame, step, box);
      } else {
        this.rest();
      }
    }
    if (any) {
      this.shown = frame;
      this.say("");
      this.ahead();
    }
    for (const overlay of this.overlays) this.cover(draw, overlay);
    for (const paint of this.painters) {
      draw.save();
      paint(draw, this);
      draw.restore();
    }
    this.scaleBar(draw);
    this.canvas.dataset.frame = any ? String(frame) : "";
    this.canvas.dataset.step = any ? String(this.here()[0].planes.step) : "";
  }

  /** Draw again, with tiles, once the view rests. */
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      this.rested = true;
      this.redraw();
    }, REST_MS);
  }

  /** A plane as a canvas under the contrast of now. */
  picture(frame, planes) {
    const key = `${frame}/${planes.step}/${planes.box.join()}`;
    let made = this.drawn.get(key);
    if (!made) {
      made = document.createElement("canvas");
      made.width = planes.width;
      made.height = planes.height;
      made.getContext("2d").putImageData(
        coloured(planes, this.source.type, this.low, this.high), 0, 0);
      this.drawn.set(key, made);
      let pixels = 0;
      for (const each of [...this.drawn.values()].reverse()) pixels += each.width * each.height;
      for (const [old, each] of this.drawn) {
        if (pixels <= 4e7 || old === key) break;
        pixels -= each.width * each.height;
        this.drawn.delete(old);
      }
    }
    return made;
  }

  place(draw, picture, {box, step}) {
    const [left, top] = this.toScreen(box[0], box[1]);
    // at the far edges the last squares of a step may reach beyond the image
    const wide = picture.width * step * this.scale;
    const high = picture.height * step * this.scale;
    draw.save();
    draw.beginPath();
    draw.rect(left, top, (box[3] - box[1]) * this.scale, (box[2] - box[0]) * this.scale);
    draw.clip();
    draw.imageSmoothingEnabled = step * this.scale * (window.devicePixelRatio || 1) < 1;
    draw.imageSmoothingQuality = "high";
    draw.drawImage(picture, left, top, wide, high);
    draw.restore();
  }

  cover(draw, overlay) {
    const made = overlay.hidden ? null : overlay.of(this.frame);
    if (!made) return;
    const [x0, y0] = this.toScreen(0, 0);
    draw.save();
    draw.beginPath();
    draw.rect(x0, y0, this.source.width * this.scale, this.source.height * this.scale);
    draw.clip();
    if (made.canvas) {
      const [top, left, bottom, right] = made.box;
      draw.globalAlpha = overlay.opacity;
      draw.imageSmoothingEnabled = false;
      draw.drawImage(made.canvas, ...this.toScreen(top, left),
        (right - left) * this.scale, (bottom - top) * this.scale);
    }
    draw.globalAlpha = 1;
    if (made.paint) made.paint(draw, this);
    draw.restore();
  }

  async load(frame, step, box) {
    try {
      await this.source.get(frame, step, box);
      if (frame === this.frame) this.redraw();
    } catch (error) {
      if (frame !== this.frame) return;
      this.say(`${this.source.frames > 1 ? `Frame ${frame + 1}: ` : ""}${error.message}`, error.detail);
      this.emit("fault", {what: error.message, frame});
    }
  }

  /** Fetch the next frames ahead. */
  ahead() {
    const {frames} = this.source;
    for (let n = 1; n <= Math.min(this.playing ? 6 : 2, frames - 1); n += 1) {
      const t = (this.frame + n) % frames;
      for (const [step, box] of this.playing ? this.asked() : this.asked().slice(0, 1)) {
        this.source.get(t, step, box).catch(() => {});
      }
    }
  }

  say(text, detail = "") {
    if (this.notice.dataset.text === text) return;
    this.notice.dataset.text = text;
    this.notice.hidden = !text;
    this.notice.replaceChildren(text);
    if (detail && detail !== text) {
      const more = document.createElement("small");
      more.textContent = detail;
      this.notice.append(more);
    }
  }

  /** {px, text}: a round length of about a fifth of the canvas; px of the image if um is unknown. */
  barLength() {
    const um = this.pixelUm || 1;
    const most = (this.canvas.clientWidth * 0.22) / this.scale * um;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((each) => each * power <= most) * power;
    const shown = Number(length.toPrecision(2));
    if (!this.pixelUm) return {px: length, text: `${shown} px (pixel size unknown)`};
    return {px: length / um, text: shown >= 1000 ? `${shown / 1000} mm` : `${shown} µm`};
  }

  scaleBar(draw) {
    const {px, text} = this.barLength();
    const wide = px * this.scale;
    const [left, bottom] = [14, this.canvas.clientHeight - 14];
    draw.font = "600 13px system-ui, sans-serif";
    draw.textBaseline = "bottom";
    const room = Math.max(wide, draw.measureText(text).width);
    draw.fillStyle = "rgb(0 0 0 / 60%)";
    draw.fillRect(left - 7, bottom - 27, room + 14, 34);
    draw.fillStyle = "#fff";
    draw.fillRect(left, bottom - 4, wide, 4);
    draw.fillText(text, left, bottom - 7);
    this.canvas.dataset.scaleBar = text;
  }

  /** Let go of timers and of the observer. */
  close() {
    this.pause();
    clearTimeout(this.resting);
    this.sizes.disconnect();
  }
}

/** Whether moving pictures should wait until they are asked for. */
export const calm = () => CALM.matches;
