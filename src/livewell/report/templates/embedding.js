(() => {
  "use strict";
  const root = document.currentScript.closest(".embedding");
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const controls = new Map(Array.from(root.querySelectorAll("[name]"), (each) => [each.name, each]));
  const control = (name) => controls.get(name);
  const find = (selector) => root.querySelector(selector);
  const canvas = find(".map"), card = find(".card"), legend = find(".legend");
  const rows = find(".chosen tbody");
  const REACH_PX = 14, CELL_PX = 34, LARGE_PX = 200, SMALL_PX = 48;
  const FAINT = "#C9CED3", INK = "#1B1F23";
  const chosen = new Map();
  const hidden = new Set();
  let at = -1, zoom = 1, middle = [0.5, 0.5], taken = new Map();

  const model = () => data.models[control("model").selectedIndex];
  const method = () => model().methods[control("method").selectedIndex];
  const colouring = () => model().colourings[control("colouring").selectedIndex];
  const key = (point) => `${control("model").selectedIndex}:${point}`;
  const indices = () => method().x.map((_, point) => point).filter(
    (point) => !hidden.has(colouring().codes[point]));

  const atlases = data.models.map((each) => {
    const image = new Image();
    image.onload = draw;
    image.src = each.atlas.uri;
    return image;
  });

  // corners of every mark, from -1 to 1; a mark without corners is a disc
  const turned = (corners, angle) => corners.map(([x, y]) => [
    x * Math.cos(angle) - y * Math.sin(angle), x * Math.sin(angle) + y * Math.cos(angle)]);
  const square = [[-0.85, -0.85], [0.85, -0.85], [0.85, 0.85], [-0.85, 0.85]];
  const triangle = [[0, -1.1], [1.05, 0.8], [-1.05, 0.8]];
  const plus = [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35],
    [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]];
  const star = Array.from(Array(10), (_, n) => [
    Math.sin(n * Math.PI / 5) * (n % 2 ? 0.5 : 1.2), -Math.cos(n * Math.PI / 5) * (n % 2 ? 0.5 : 1.2)]);
  const MARKS = {
    "s": square, "^": triangle, "v": turned(triangle, Math.PI), "D": turned(square, Math.PI / 4),
    "P": plus, "X": turned(plus, Math.PI / 4), "*": star,
  };

  function mark(pen, x, y, radius, level) {
    const corners = MARKS[level.mark];
    pen.beginPath();
    if (corners) {
      corners.forEach(([dx, dy]) => pen.lineTo(x + radius * dx, y + radius * dy));
      pen.closePath();
    } else {
      pen.arc(x, y, radius, 0, 2 * Math.PI);
    }
    pen.fillStyle = level.colour;
    pen.strokeStyle = "white";
    pen.lineWidth = 0.7;
    pen.fill();
    pen.stroke();
  }

  function sized(canvas, width, height) {
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    return pen;
  }

  function place(point) {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    const scale = zoom * Math.min(width, height);
    return [width / 2 + (method().x[point] - middle[0]) * scale,
      height / 2 - (method().y[point] - middle[1]) * scale];
  }

  function cellAt(x, y) {
    return `${Math.floor(x / CELL_PX)},${Math.floor(y / CELL_PX)}`;
  }

  function image(pen, number, point, x, y, edge) {
    const { width, height, columns } = data.models[number].atlas;
    const scale = edge / Math.max(width, height);
    pen.drawImage(atlases[number], width * (point % columns), height * Math.floor(point / columns),
      width, height, x, y, width * scale, height * scale);
    return [width * scale, height * scale];
  }

  function draw() {
    const pen = sized(canvas, canvas.clientWidth, canvas.clientHeight);
    const { levels, codes } = colouring(), number = control("model").selectedIndex;
    const shown = indices();
    taken = new Map();
    // mixed by steps of a prime, so that one image's marks do not lie on top of another's
    const mixed = shown.map((_, n) => shown[(n * 7919) % shown.length]);
    for (const point of shown.length % 7919 ? mixed : shown) {
      const [x, y] = place(point), level = levels[codes[point]];
      const cell = cellAt(x, y);
      if (!control("thumbnails").checked) {
        mark(pen, x, y, 4.2, level);
      } else if (!taken.has(cell)) {
        taken.set(cell, point);
        const [left, top] = [CELL_PX * Math.floor(x / CELL_PX), CELL_PX * Math.floor(y / CELL_PX)];
        const [wide, high] = image(pen, number, point, left + 3, top + 3, CELL_PX - 6);
        pen.strokeStyle = level.colour;
        pen.lineWidth = 2;
        pen.strokeRect(left + 2, top + 2, wide + 2, high + 2);
      }
    }
    const ring = (point, colour, width) => {
      pen.beginPath();
      pen.arc(...place(point), 8, 0, 2 * Math.PI);
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke();
    };
    for (const point of shown) if (chosen.has(key(point))) ring(point, INK, 1.2);
    if (at >= 0) ring(at, INK, 2.4);
    root.dataset.drawn = shown.length;
  }

  function portrait(number, point, edge) {
    const made = document.createElement("canvas");
    const { width, height } = data.models[number].atlas;
    const scale = edge / Math.max(width, height);
    made.style.width = `${width * scale}px`;
    made.style.height = `${height * scale}px`;
    image(sized(made, width * scale, height * scale), number, point, 0, 0, edge);
    return made;
  }

  function told(tag, text) {
    const made = document.createElement(tag);
    made.textContent = text;
    return made;
  }

  function show(point) {
    at = point;
    card.replaceChildren();
    if (at >= 0) {
      const list = document.createElement("dl");
      data.columns.forEach((name, n) => list.append(told("dt", name), told("dd", model().cells[at][n])));
      card.append(portrait(control("model").selectedIndex, at, LARGE_PX), list);
    }
    draw();
  }

  function choose(point) {
    const mine = key(point), number = control("model").selectedIndex;
    if (chosen.has(mine)) {
      chosen.get(mine).row.remove();
      chosen.delete(mine);
    } else {
      const values = [model().name, ...model().cells[point]], row = document.createElement("tr");
      const first = document.createElement("td");
      first.append(portrait(number, point, SMALL_PX));
      row.append(first, ...values.map((value) => told("td", value)));
      rows.append(row);
      chosen.set(mine, { row, values });
    }
    find(".chosen").hidden = !chosen.size;
    draw();
  }

  function nearest(x, y, cost) {
    let best = -1, least = Infinity;
    for (const point of indices()) {
      const [px, py] = place(point), found = cost(px - x, py - y);
      if (found < least) [best, least] = [point, found];
    }
    return best;
  }

  function under(event) {
    const box = canvas.getBoundingClientRect();
    const x = event.clientX - box.left - canvas.clientLeft, y = event.clientY - box.top - canvas.clientTop;
    if (control("thumbnails").checked) return taken.get(cellAt(x, y)) ?? -1;
    return nearest(x, y, (dx, dy) => Math.hypot(dx, dy) < REACH_PX ? Math.hypot(dx, dy) : Infinity);
  }

  function step(right, down) {
    if (at < 0) {
      show(nearest(canvas.clientWidth / 2, canvas.clientHeight / 2, Math.hypot));
      return;
    }
    const [x, y] = place(at);
    const next = nearest(x, y, (dx, dy) => {
      const along = dx * right + dy * down, across = Math.abs(dx * down) + Math.abs(dy * right);
      return along > 0.01 ? along + 3 * across : Infinity;
    });
    if (next < 0) return;
    const [left, top] = place(next);
    if (left < 0 || top < 0 || left > canvas.clientWidth || top > canvas.clientHeight) {
      middle = [method().x[next], method().y[next]];
    }
    show(next);
  }

  function zoomed(factor) {
    zoom = Math.min(Math.max(zoom * factor, 1), 40);
    if (zoom === 1) middle = [0.5, 0.5];
    draw();
  }

  function whole() {
    zoom = 1;
    zoomed(1);
  }

  function options(name, values) {
    const select = control(name), before = select.value;
    select.replaceChildren(...values.map((value) => told("option", value)));
    if (values.includes(before)) select.value = before;
    select.parentElement.hidden = values.length < 2;
  }

  function explain() {
    hidden.clear();
    legend.replaceChildren(...colouring().levels.map((level, number) => {
      const label = document.createElement("label"), box = document.createElement("input");
      const swatch = document.createElement("canvas");
      mark(sized(swatch, 16, 16), 8, 8, 5.5, level);
      box.type = "checkbox";
      box.checked = true;
      box.onchange = () => {
        hidden[box.checked ? "delete" : "add"](number);
        if (at >= 0 && hidden.has(colouring().codes[at])) show(-1);
        draw();
      };
      label.append(box, swatch, told("span", `${level.name}, ${level.count}`));
      return label;
    }));
    draw();
  }

  function changed() {
    options("method", model().methods.map((each) => each.name));
    options("colouring", model().colourings.map((each) => each.name));
    at = -1;
    card.replaceChildren();
    explain();
  }

  function table() {
    return [["model", ...data.columns], ...Array.from(chosen.values(), (each) => each.values)];
  }

  control("model").onchange = changed;
  control("method").onchange = whole;
  control("colouring").onchange = explain;
  control("thumbnails").onchange = draw;
  control("closer").onclick = () => zoomed(1.5);
  control("farther").onclick = () => zoomed(1 / 1.5);
  control("whole").onclick = whole;
  control("clear").onclick = () => {
    chosen.clear();
    rows.replaceChildren();
    find(".chosen").hidden = true;
    draw();
  };
  control("copy").onclick = () => {
    getSelection().selectAllChildren(find(".chosen table"));
    document.execCommand("copy");
  };
  control("save").onclick = () => {
    const formula = (value) => /^[=+\-@\t\r]/.test(value) && isNaN(value);
    const quoted = (value) => `"${formula(value) ? "'" : ""}${String(value).replaceAll('"', '""')}"`;
    const text = table().map((row) => row.map(quoted).join(",")).join("\r\n");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = "chosen.csv";
    link.click();
  };

  let held = null;
  canvas.onpointerdown = (event) => {
    held = { x: event.clientX, y: event.clientY, middle, moved: false };
    canvas.setPointerCapture(event.pointerId);
  };
  canvas.onpointermove = (event) => {
    if (!held) {
      const point = under(event);
      if (point >= 0 && point !== at) show(point);
      return;
    }
    const dx = event.clientX - held.x, dy = event.clientY - held.y;
    held.moved ||= Math.hypot(dx, dy) > 4;
    if (!held.moved) return;
    const scale = zoom * Math.min(canvas.clientWidth, canvas.clientHeight);
    middle = [held.middle[0] - dx / scale, held.middle[1] + dy / scale];
    draw();
  };
  canvas.onpointerup = (event) => {
    const point = held && !held.moved ? under(event) : -1;
    held = null;
    if (point < 0) return;
    if (point !== at) show(point);
    choose(point);
  };
  canvas.onpointercancel = () => { held = null; };
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== canvas) return;
    event.preventDefault();
    zoomed(event.deltaY < 0 ? 1.2 : 1 / 1.2);
  }, { passive: false });
  canvas.onkeydown = (event) => {
    const keys = {
      ArrowRight: () => step(1, 0), ArrowLeft: () => step(-1, 0), ArrowUp: () => step(0, -1),
      ArrowDown: () => step(0, 1), Enter: () => at >= 0 && choose(at), Escape: () => show(-1),
      "+": () => zoomed(1.5), "-": () => zoomed(1 / 1.5), "0": whole,
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  };

  const head = document.createElement("tr");
  head.append(told("th", ""), ...["model", ...data.columns].map((name) => told("th", name)));
  find(".chosen thead").append(head);
  options("model", data.models.map((each) => each.name));
  changed();
  new ResizeObserver(draw).observe(canvas);
})();
