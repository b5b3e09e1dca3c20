(() => {
  "use strict";
  const root = document.currentScript.closest(".plate");
  const data = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
  const find = (selector) => root.querySelector(selector);
  const map = find("svg.map"), card = find(".card"), frame = find(".at"), scale = find("select");
  const paths = Array.from(map.querySelectorAll("path.w"));
  const numbers = new Map(Array.from(map.querySelectorAll("text.n"), (text) => [
    `${text.getAttribute("x")},${text.getAttribute("y")}`, text]));
  const [left, right] = find(".bar").querySelectorAll("span");
  const STEP = 20, TILE_PX = 112, INK = "#1B1F23";
  const at = new Map(data.wells.map((well, n) => [`${well.row},${well.column}`, n]));
  const parts = data.stops.map((stop) => [1, 3, 5].map((n) => parseInt(stop.slice(n, n + 2), 16)));
  let kept = -1, shown = -1, atlas = null;

  function colour(share) {
    const place = Math.min(Math.max(share, 0), 1) * (parts.length - 1);
    const below = Math.min(Math.floor(place), parts.length - 2), rest = place - below;
    return parts[below].map((low, n) => Math.round(low + rest * (parts[below + 1][n] - low)));
  }

  function paint() {
    const chosen = data.scales[scale.selectedIndex], span = chosen.to - chosen.from || 1;
    left.textContent = chosen.low;
    right.textContent = chosen.high;
    data.wells.forEach((well, n) => {
      if (well.value === null) return;
      const [red, green, blue] = colour((well.value - chosen.from) / span);
      paths[n].setAttribute("fill", `rgb(${red} ${green} ${blue})`);
      const number = numbers.get(`${STEP * well.column + 10},${STEP * well.row + 10}`);
      const light = 0.299 * red + 0.587 * green + 0.114 * blue < 140;
      if (number) number.style.fill = light ? "white" : INK;
    });
  }

  function made(tag, text, parent) {
    const element = document.createElement(tag);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  function tiles(well) {
    const box = made("div", "", card);
    box.className = "tiles";
    for (const tile of well.tiles) {
      const canvas = made("canvas", "", box), edge = data.atlas.edge;
      const size = Math.max(edge, TILE_PX);
      canvas.width = canvas.height = edge;
      canvas.style.width = canvas.style.height = `${size}px`;
      canvas.getContext("2d").drawImage(atlas, edge * (tile % data.atlas.columns),
        edge * Math.floor(tile / data.atlas.columns), edge, edge, 0, 0, edge, edge);
    }
    root.dataset.shown = well.name;
  }

  function show(n) {
    shown = n;
    card.replaceChildren();
    frame.toggleAttribute("hidden", n < 0);
    if (n < 0) return;
    const well = data.wells[n];
    frame.setAttribute("x", STEP * well.column);
    frame.setAttribute("y", STEP * well.row);
    made("h3", `${well.name}: ${well.head}`, card);
    const list = made("dl", "", card);
    well.cells.forEach(([name, text]) => {
      const pair = made("div", "", list);
      pair.style.display = "contents";
      made("dt", name, pair);
      made("dd", text, pair);
    });
    if (n !== kept) return;
    if (!well.tiles.length) {
      root.dataset.shown = well.name;
    } else if (atlas) {
      tiles(well);
    } else {
      const image = new Image();
      image.onload = () => { atlas = image; if (shown === kept) show(kept); };
      image.src = data.atlas.uri;
    }
  }

  function wellAt(event) {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
    return at.get(`${Math.floor(point.y / STEP)},${Math.floor(point.x / STEP)}`) ?? -1;
  }

  function keep(n) {
    kept = n;
    show(n);
  }

  map.addEventListener("pointermove", (event) => {
    const n = wellAt(event);
    if (event.pointerType === "mouse" && n !== shown && n >= 0) show(n);
  });
  map.addEventListener("pointerleave", () => show(kept));
  map.addEventListener("click", (event) => keep(wellAt(event)));
  map.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
    const step = steps[event.key];
    if (event.key === "Enter" || event.key === " ") {
      keep(shown);
    } else if (event.key === "Escape") {
      keep(-1);
    } else if (step) {
      const here = data.wells[shown] ?? { row: -step[0], column: -step[1] };
      let row = here.row, column = here.column, n;
      do {
        row += step[0];
        column += step[1];
        n = at.get(`${row},${column}`);
      } while (n === undefined && row >= 0 && column >= 0 && row < data.rows && column < data.columns);
      if (n !== undefined) show(n);
    } else {
      return;
    }
    event.preventDefault();
  });
  map.addEventListener("focus", () => { if (shown < 0) show(0); });
  scale.addEventListener("change", paint);
  root.dataset.drawn = paths.length;
})();
