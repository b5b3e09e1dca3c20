/* Raw numbers of images: fetched, unpacked, kept, and turned into a picture between two grey levels. */

const TYPES = {uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array};
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Frames of a response of raw numbers: {frames: [...], box, step, height, width, type}. */
export async function unpack(response) {
  if (!response.ok) throw await faultOf(response);
  const shape = response.headers.get("X-Shape").split(",").map(Number);
  const type = response.headers.get("X-Type");
  const box = (response.headers.get("X-Box") || `0,0,${shape[1]},${shape[2]}`).split(",").map(Number);
  const step = Number(response.headers.get("X-Step") || 1);
  const bytes = await response.arrayBuffer();
  const size = TYPES[type].BYTES_PER_ELEMENT;
  if (!LITTLE && size > 1) swap(new Uint8Array(bytes), size);
  const [count, height, width] = shape;
  if (bytes.byteLength !== count * height * width * size) throw new Error("The answer is not whole.");
  const frames = Array.from({length: count}, (_, n) => (
    new TYPES[type](bytes, n * height * width * size, height * width)));
  return {frames, box, step, height, width, type};
}

function swap(bytes, size) {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}

/** What a failed answer says in words, as an Error with `detail` and `status`. */
export async function faultOf(response) {
  let said = {};
  try { said = await response.json(); } catch { /* not JSON */ }
  const error = new Error(said.message || `The server answered ${response.status}.`);
  error.detail = said.detail || "";
  error.status = response.status;
  return error;
}

/** Frames that are here already, such as an unpacked sequence. */
export class PackedFrames {
  constructor(unpacked) {
    Object.assign(this, {height: unpacked.height, width: unpacked.width, type: unpacked.type});
    this.frames = unpacked.frames.length;
    this.whole = true;
    this.packed = unpacked;
  }

  cached(t) { return this.planes(t); }

  async get(t) { return this.planes(t); }

  planes(t) {
    const {frames, height, width} = this.packed;
    return {data: [frames[t]], height, width, box: [0, 0, height, width], step: 1};
  }
}

/** An image on the server; `about` is its description, see /image/N/about. */
export class ImageSource {
  constructor(base, about, channels, mostBytes = 256 * 2 ** 20) {
    Object.assign(this, {base, channels, mostBytes, height: about.height, width: about.width});
    Object.assign(this, {frames: about.frames, type: about.type});
    this.kept = new Map();
    this.bytes = 0;
  }

  key(t, step, box) { return `${t}/${step}/${box.join()}`; }

  cached(t, step, box) {
    const found = this.kept.get(this.key(t, step, box));
    return found && found.planes;
  }

  get(t, step, box) {
    const key = this.key(t, step, box);
    let entry = this.kept.get(key);
    if (entry) {
      this.kept.delete(key);
      this.kept.set(key, entry);
      return entry.promise;
    }
    entry = {bytes: 0, planes: null};
    entry.promise = this.fetched(t, step, box).then((planes) => {
      entry.planes = planes;
      entry.bytes = planes.data.reduce((sum, each) => sum + each.byteLength, 0);
      this.bytes += entry.bytes;
      for (const [old, {bytes}] of this.kept) {
        if (this.bytes <= this.mostBytes || old === key) break;
        this.kept.delete(old);
        this.bytes -= bytes;
      }
      return planes;
    }, (error) => {
      this.kept.delete(key);
      throw error;
    });
    this.kept.set(key, entry);
    return entry.promise;
  }

  async fetched(t, step, box) {
    const asked = this.channels.map(async (channel) => {
      const query = new URLSearchParams({t, channel, step});
      ["y0", "x0", "y1", "x1"].forEach((name, n) => query.set(name, box[n]));
      return unpack(await fetch(`${this.base}/pixels?${query}`));
    });
    const found = await Promise.all(asked);
    const {height, width, box: got, step: by} = found[0];
    return {data: found.map((each) => each.frames[0]), height, width, box: got, step: by};
  }
}

/** Pixels of planes as an ImageData between two grey levels; what is no number is blue. */
export function coloured(planes, type, low, high) {
  const {data, height, width} = planes;
  const shown = new ImageData(width, height);
  const out = new Uint32Array(shown.data.buffer);
  const scale = 255 / Math.max(high - low, 1e-30);
  const grey = (value) => Math.min(Math.max(Math.round((value - low) * scale), 0), 255);
  const rgba = (r, g, b) => (LITTLE
    ? ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0
    : ((r << 24) | (g << 16) | (b << 8) | 255) >>> 0);
  if (type === "float32") {
    for (let i = 0; i < out.length; i += 1) {
      const [r, g, b] = data.length === 3 ? data.map((each) => each[i]) : Array(3).fill(data[0][i]);
      out[i] = Number.isFinite(r + g + b) ? rgba(grey(r), grey(g), grey(b)) : rgba(0, 114, 178);
    }
    return shown;
  }
  const table = new Uint8Array(type === "uint8" ? 256 : 65536);
  for (let value = 0; value < table.length; value += 1) table[value] = grey(value);
  if (data.length === 3) {
    const [red, green, blue] = data;
    for (let i = 0; i < out.length; i += 1) {
      out[i] = rgba(table[red[i]], table[green[i]], table[blue[i]]);
    }
    return shown;
  }
  const greys = Uint32Array.from(table, (value) => rgba(value, value, value));
  const only = data[0];
  for (let i = 0; i < out.length; i += 1) out[i] = greys[only[i]];
  return shown;
}
