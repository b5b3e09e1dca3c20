/* Pointer, wheel, touch and keys of a FieldViewer. */

const PAN_PX = 48;

/** Let a viewer be moved, zoomed and pointed at. */
export function listen(viewer) {
  const {canvas} = viewer;
  const pointers = new Pointers(viewer);
  canvas.addEventListener("pointerdown", (event) => pointers.down(event));
  canvas.addEventListener("pointermove", (event) => pointers.move(event));
  canvas.addEventListener("pointerup", (event) => pointers.up(event, true));
  canvas.addEventListener("pointercancel", (event) => pointers.up(event, false));
  canvas.addEventListener("pointerleave", () => viewer.emit("hover", null));
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const edge = canvas.getBoundingClientRect();
    const by = event.deltaY * (event.deltaMode === 1 ? 20 : 1);
    viewer.zoomBy(Math.exp(-by * (event.ctrlKey ? 0.01 : 0.0016)),
      [event.clientX - edge.left, event.clientY - edge.top]);
  }, {passive: false});
  canvas.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey && key(viewer, event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
  });
}

/** What a key does; whether it is one of the viewer's. */
function key(viewer, name) {
  const stepped = (by) => { viewer.pause(); viewer.stepFrame(by); };
  const keys = {
    "+": () => viewer.zoomBy(1.25), "=": () => viewer.zoomBy(1.25), "-": () => viewer.zoomBy(0.8),
    "0": () => viewer.fit(), "1": () => viewer.oneToOne(),
    ArrowLeft: () => viewer.panBy(PAN_PX, 0), ArrowRight: () => viewer.panBy(-PAN_PX, 0),
    ArrowUp: () => viewer.panBy(0, PAN_PX), ArrowDown: () => viewer.panBy(0, -PAN_PX),
    " ": () => viewer.toggle(), ",": () => stepped(-1), ".": () => stepped(1),
  };
  if (!keys[name]) return false;
  keys[name]();
  return true;
}

/** Fingers, pens and mice on the canvas: they move, pinch, point, and draw boxes. */
class Pointers {
  constructor(viewer) {
    this.viewer = viewer;
    this.places = new Map();
  }

  down(event) {
    if (event.button) return;
    const {viewer} = this;
    viewer.canvas.setPointerCapture(event.pointerId);
    this.places.set(event.pointerId, [event.clientX, event.clientY]);
    this.press = {x: event.clientX, y: event.clientY, moved: false};
    this.from = viewer.tool === "box" && this.places.size === 1
      ? viewer.toImage(event.clientX, event.clientY) : null;
    viewer.drag = null;
  }

  move(event) {
    const {viewer} = this;
    const before = this.places.get(event.pointerId);
    const now = [event.clientX, event.clientY];
    if (before && this.press) {
      if (Math.hypot(now[0] - this.press.x, now[1] - this.press.y) > 4) this.press.moved = true;
      if (this.places.size === 2) {
        this.pinch(event.pointerId, now);
      } else if (this.from) {
        viewer.drag = box4(this.from, viewer.toImage(...now));
        viewer.redraw();
      } else if (this.press.moved) {
        viewer.panBy(now[0] - before[0], now[1] - before[1]);
      }
      this.places.set(event.pointerId, now);
    }
    const [y, x] = viewer.toImage(...now);
    viewer.emit("hover", inside(viewer, y, x) ? {y, x, read: viewer.valueAt(y, x)} : null);
  }

  pinch(id, now) {
    const {viewer} = this;
    const [other] = [...this.places].filter(([each]) => each !== id).map(([, place]) => place);
    const old = this.places.get(id);
    const far = ([x, y]) => Math.max(Math.hypot(x - other[0], y - other[1]), 1);
    const edge = viewer.canvas.getBoundingClientRect();
    this.from = null;
    viewer.panBy((now[0] - old[0]) / 2, (now[1] - old[1]) / 2);
    viewer.zoomBy(far(now) / far(old),
      [(now[0] + other[0]) / 2 - edge.left, (now[1] + other[1]) / 2 - edge.top]);
  }

  up(event, ended) {
    if (!this.places.delete(event.pointerId)) return;
    const {viewer, from, press} = this;
    const {drag} = viewer;
    const [y, x] = viewer.toImage(event.clientX, event.clientY);
    this.from = null;
    viewer.drag = null;
    if (ended && from && drag && press.moved) {
      const {height, width} = viewer.source;
      const [y0, x0, y1, x1] = [
        Math.max(drag[0], 0), Math.max(drag[1], 0), Math.min(drag[2], height), Math.min(drag[3], width)];
      if (y1 > y0 && x1 > x0) viewer.emit("box", {y0, x0, y1, x1});
    } else if (ended && !press.moved && viewer.tool !== "pan" && inside(viewer, y, x)) {
      viewer.emit("point", {y, x});
    }
    viewer.redraw();
  }
}

function inside(viewer, y, x) {
  return y >= 0 && x >= 0 && y < viewer.source.height && x < viewer.source.width;
}

function box4([ya, xa], [yb, xb]) {
  return [Math.min(ya, yb), Math.min(xa, xb), Math.max(ya, yb), Math.max(xa, xb)];
}
