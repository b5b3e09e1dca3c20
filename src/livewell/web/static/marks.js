// Points and boxes that are drawn in an image, each of a class: by mouse or touch, and by keyboard
// with a cross-hair. What is there is also a table, so that nothing is to be seen in the image only.

const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999"];
const NEAR = 12; // CSS pixels within which a click means a mark that is there

export class Marks {
  /**
   * @param viewer the canvas
   * @param table rows of it are the marks
   * @param classes {name, key} of each class
   * @param say tells a screen reader
   */
  constructor(viewer, table, classes, say) {
    Object.assign(this, { viewer, table, classes, say });
    this.list = [];
    this.steps = []; // what the list was before each change
    this.chosen = null; // the mark that Delete takes away
    this.class = classes[0].name;
    this.cross = null; // [y, x]; null until an arrow is pressed
    this.corner = null; // where a box that is drawn by keyboard begins
    viewer.tool = "box"; // a click is a point, a drag a box
    viewer.addEventListener("point", ({ detail }) => this.clicked(detail.y, detail.x));
    viewer.addEventListener("box", ({ detail: { y0, x0, y1, x1 } }) => {
      this.put({ y: y0, x: x0, y1, x1 });
    });
    viewer.painters.push((draw) => this.paint(draw));
    this.choose(this.class);
  }

  /** Another image, with marks of an answer that was taken back. */
  begin(marks) {
    this.list = marks.map((mark) => ({ ...mark }));
    this.steps = [];
    this.chosen = this.cross = this.corner = null;
    this.changed();
  }

  all() {
    return this.list.map((mark) => ({ ...mark }));
  }

  /** The class of marks to come, and of the one that is chosen. */
  choose(name) {
    this.class = name;
    for (const button of document.querySelectorAll("[data-answer][aria-pressed]")) {
      button.setAttribute("aria-pressed", button.dataset.answer === name);
    }
    if (this.chosen !== null) {
      this.step();
      this.list[this.chosen] = { ...this.list[this.chosen], class: name };
      this.changed();
    }
    this.say(this.chosen === null ? `Next: ${name}` : `Mark ${this.chosen + 1} is ${name}`);
  }

  /** Undo the last change; whether there was one. */
  undo() {
    if (!this.steps.length) return false;
    this.list = this.steps.pop();
    this.chosen = this.corner = null;
    this.changed();
    this.say(`${this.list.length} marks`);
    return true;
  }

  /** What a key does, or null. */
  key(name, fast) {
    const by = (fast ? 40 : 8) / this.viewer.scale;
    return {
      ArrowUp: () => this.move(-by, 0),
      ArrowDown: () => this.move(by, 0),
      ArrowLeft: () => this.move(0, -by),
      ArrowRight: () => this.move(0, by),
      ".": () => this.point(),
      ",": () => this.box(),
      Delete: () => this.remove(this.chosen ?? this.list.length - 1),
      Escape: () => {
        this.chosen = this.cross = this.corner = null;
        this.changed();
      },
    }[name] ?? null;
  }

  // changes

  step() {
    this.steps.push(this.list);
    this.list = [...this.list];
  }

  put(mark) {
    this.step();
    const round = (value) => Math.round(value * 100) / 100;
    const places = Object.entries(mark).map(([name, value]) => [name, round(value)]);
    this.list.push({ class: this.class, ...Object.fromEntries(places) });
    this.chosen = null;
    this.changed();
    this.say(`${this.class}, ${this.list.length} marks`);
  }

  remove(number) {
    if (!this.list[number]) return;
    this.step();
    this.list.splice(number, 1);
    this.chosen = null;
    this.changed();
    this.say(`Mark ${number + 1} removed, ${this.list.length} left`);
  }

  clicked(y, x) {
    const near = NEAR / this.viewer.scale;
    const far = this.list.map((mark) => {
      if (mark.y1 === undefined) return Math.hypot(mark.y - y, mark.x - x);
      const edge = [mark.y - y, mark.y1 - y, mark.x - x, mark.x1 - x].map(Math.abs);
      const inside = y > mark.y - near && y < mark.y1 + near && x > mark.x - near && x < mark.x1 + near;
      return inside ? Math.min(...edge) : Infinity;
    });
    const least = Math.min(...far);
    if (least <= near) {
      const number = far.indexOf(least);
      this.chosen = this.chosen === number ? null : number;
      this.changed();
      if (this.chosen !== null) this.say(`Mark ${number + 1}, ${this.list[number].class}, chosen`);
    } else if (this.chosen !== null) {
      this.chosen = null;
      this.changed();
    } else {
      this.put({ y, x });
    }
  }

  move(dy, dx) {
    const { height, width } = this.viewer.source;
    if (this.cross === null) {
      const [y0, x0, y1, x1] = this.viewer.visible();
      this.cross = [(y0 + y1) / 2, (x0 + x1) / 2];
    } else {
      const [y, x] = this.cross;
      this.cross = [Math.min(Math.max(y + dy, 0), height), Math.min(Math.max(x + dx, 0), width)];
    }
    this.follow();
    this.viewer.redraw();
    const [y, x] = this.cross.map(Math.round);
    this.say(`Row ${y}, column ${x}`);
  }

  /** Keep the cross-hair in view. */
  follow() {
    const [left, top] = this.viewer.toScreen(...this.cross);
    const { clientWidth, clientHeight } = this.viewer.canvas;
    const by = (at, size) => (at < 20 ? 20 - at : at > size - 20 ? size - 20 - at : 0);
    const [dx, dy] = [by(left, clientWidth), by(top, clientHeight)];
    if (dx || dy) this.viewer.panBy(dx, dy);
  }

  point() {
    if (this.cross === null) this.move(0, 0);
    else this.put({ y: this.cross[0], x: this.cross[1] });
  }

  box() {
    if (this.cross === null) {
      this.move(0, 0);
    } else if (this.corner === null) {
      this.corner = this.cross;
      this.say("A box begins here; move, and press the comma again");
    } else {
      const [[ya, xa], [yb, xb]] = [this.corner, this.cross];
      this.corner = null;
      if (ya !== yb && xa !== xb) {
        this.put({ y: Math.min(ya, yb), x: Math.min(xa, xb), y1: Math.max(ya, yb), x1: Math.max(xa, xb) });
      }
    }
    this.viewer.redraw();
  }

  // what is seen

  changed() {
    const body = this.table.tBodies[0];
    body.replaceChildren(...this.list.map((mark, number) => this.row(mark, number)));
    const counts = this.classes.map(({ name }) => (
      `${this.list.filter((mark) => mark.class === name).length} ${name}`));
    this.table.caption.textContent = this.list.length ? `Marks: ${counts.join(", ")}` : "No marks yet";
    this.viewer.redraw();
  }

  row(mark, number) {
    const row = document.createElement("tr");
    const boxed = mark.y1 !== undefined;
    const size = boxed ? `${Math.round(mark.x1 - mark.x)} × ${Math.round(mark.y1 - mark.y)}` : "point";
    for (const text of [number + 1, mark.class, Math.round(mark.y), Math.round(mark.x), size]) {
      row.insertCell().textContent = text;
    }
    const cell = row.insertCell();
    for (const [word, what] of [
      ["Choose", () => {
        this.chosen = this.chosen === number ? null : number;
        this.changed();
        this.table.tBodies[0].rows[number].querySelector("button").focus();
      }],
      ["Remove", () => {
        this.remove(number);
        this.viewer.canvas.focus();
      }],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet";
      button.textContent = word;
      button.setAttribute("aria-label", `${word} mark ${number + 1}, ${mark.class}`);
      if (word === "Choose") button.setAttribute("aria-pressed", this.chosen === number);
      button.addEventListener("click", what);
      cell.append(button);
    }
    return row;
  }

  paint(draw) {
    const scale = this.viewer.scale;
    const drag = this.viewer.drag;
    draw.font = "700 12px system-ui, sans-serif";
    draw.textBaseline = "middle";
    this.list.forEach((mark, number) => {
      const place = this.classes.findIndex(({ name }) => name === mark.class);
      const [left, top] = this.viewer.toScreen(mark.y, mark.x);
      const outline = new Path2D();
      if (mark.y1 !== undefined) outline.rect(left, top, (mark.x1 - mark.x) * scale, (mark.y1 - mark.y) * scale);
      else shape(outline, place, left, top);
      this.outlined(draw, outline, COLOURS[place % COLOURS.length], number === this.chosen);
      const letter = (this.classes[place]?.key || mark.class[0] || "?").toUpperCase();
      const at = mark.y1 === undefined ? [left + 11, top - 9] : [left + 4, top + 10];
      draw.lineWidth = 3;
      draw.strokeStyle = "#000";
      draw.strokeText(letter, ...at);
      draw.fillStyle = "#fff";
      draw.fillText(letter, ...at);
    });
    const begun = this.corner && this.cross
      ? [Math.min(this.corner[0], this.cross[0]), Math.min(this.corner[1], this.cross[1]),
        Math.max(this.corner[0], this.cross[0]), Math.max(this.corner[1], this.cross[1])]
      : drag;
    if (begun) {
      const [left, top] = this.viewer.toScreen(begun[0], begun[1]);
      const outline = new Path2D();
      outline.rect(left, top, (begun[3] - begun[1]) * scale, (begun[2] - begun[0]) * scale);
      this.outlined(draw, outline, "#ffffff", false);
    }
    if (this.cross) {
      const [left, top] = this.viewer.toScreen(...this.cross);
      const lines = new Path2D();
      for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        lines.moveTo(left + 4 * x, top + 4 * y);
        lines.lineTo(left + 16 * x, top + 16 * y);
      }
      this.outlined(draw, lines, "#f0e442", false);
    }
  }

  outlined(draw, path, colour, chosen) {
    for (const [width, style] of [[chosen ? 8 : 4, chosen ? "#fff" : "#000"], [chosen ? 4 : 2, colour]]) {
      draw.lineWidth = width;
      draw.strokeStyle = style;
      draw.stroke(path);
    }
  }
}

/** A circle, square, triangle or diamond, so that classes differ in more than colour. */
function shape(path, place, x, y) {
  const r = 7;
  const corners = [
    null,
    [[-1, -1], [1, -1], [1, 1], [-1, 1]],
    [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]],
    [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]],
  ][place % 4];
  if (!corners) {
    path.arc(x, y, r, 0, 2 * Math.PI);
    return;
  }
  corners.forEach(([dx, dy], n) => path[n ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
  path.closePath();
}
