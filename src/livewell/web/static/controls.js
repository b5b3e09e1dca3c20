/* Buttons, sliders and words around a FieldViewer. */

/** An element with attributes and children. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && name !== "list") element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A button; `label` is the name of a sign, or explains a word. */
function button(text, label, act) {
  const made = make("button", {type: "button", textContent: text, onclick: act});
  if (label && /\w/.test(text)) made.title = label;
  else if (label) made.setAttribute("aria-label", label);
  return made;
}

/** Zoom in, zoom out, fit, one to one. */
export function zoomBar(viewer) {
  return make("div", {className: "bar", role: "group", ariaLabel: "Zoom"},
    button("−", "Zoom out", () => viewer.zoomBy(0.8)),
    button("+", "Zoom in", () => viewer.zoomBy(1.25)),
    button("Fit", "Fit the whole image", () => viewer.fit()),
    button("1:1", "One pixel of the image on one of the screen", () => viewer.oneToOne()));
}

/** Black and white of the picture, in grey levels of the file. */
export function contrastBar(viewer) {
  const whole = viewer.source.type !== "float32";
  const ends = {low: "Black at", high: "White at"};
  const parts = {};
  const bar = make("div", {className: "bar", role: "group", ariaLabel: "Contrast"});
  for (const [name, words] of Object.entries(ends)) {
    const range = make("input", {type: "range", ariaLabel: `${words}, slider`});
    const number = make("input", {type: "number", step: whole ? "1" : "any"});
    parts[name] = {range, number};
    for (const input of [range, number]) {
      input.addEventListener("input", () => {
        const value = Number(input.value);
        if (input.value === "" || !Number.isFinite(value)) return;
        if (name === "low") viewer.setContrast(value, Math.max(viewer.high, value));
        else viewer.setContrast(Math.min(viewer.low, value), value);
      });
    }
    bar.append(make("label", {}, words, number), range);
  }
  bar.append(
    button("Auto", "Contrast of what is to be seen now", () => viewer.autoContrast()),
    button("Reset", "Contrast as at first, the same for all frames", () => viewer.resetContrast()));
  const update = () => {
    const [low, high] = viewer.limits;
    const span = high - low;
    const top = {uint8: 255, uint16: 65535}[viewer.source.type];
    const from = Math.min(viewer.low, whole ? Math.max(0, low - span) : low - span);
    const to = Math.max(viewer.high, whole ? Math.min(top, high + span) : high + span);
    for (const [name, {range, number}] of Object.entries(parts)) {
      range.min = from;
      range.max = to;
      range.step = whole ? Math.max(1, Math.floor((to - from) / 1000)) : (to - from) / 1000;
      range.value = viewer[name];
      if (document.activeElement !== number) {
        number.value = whole ? Math.round(viewer[name]) : Number(viewer[name].toPrecision(5));
      }
    }
  };
  viewer.addEventListener("contrast", update);
  update();
  return bar;
}

/** Play, frames, speed and time; nothing for an image of one frame. */
export function timeBar(viewer) {
  const {frames} = viewer.source;
  if (frames < 2) return make("span", {hidden: true});
  const play = button("Play", "", () => viewer.toggle());
  const slider = make("input", {type: "range", min: 0, max: frames - 1, step: 1, className: "frames", ariaLabel: "Frame"});
  const said = make("output", {});
  const speed = make("input", {type: "number", min: 1, max: 30, value: viewer.fps});
  slider.addEventListener("input", () => {
    viewer.pause();
    viewer.setFrame(Number(slider.value));
  });
  speed.addEventListener("input", () => {
    viewer.fps = Math.min(Math.max(Number(speed.value) || 1, 1), 30);
  });
  const update = () => {
    const hours = viewer.hours();
    const time = hours === null ? "time unknown" : `${hours.toFixed(2)} h`;
    slider.value = viewer.frame;
    said.textContent = `frame ${viewer.frame + 1} of ${frames}, ${time}`;
    slider.setAttribute("aria-valuetext", said.textContent);
  };
  viewer.addEventListener("frame", update);
  viewer.addEventListener("play", ({detail: {playing}}) => {
    play.textContent = playing ? "Pause" : "Play";
  });
  update();
  return make("div", {className: "bar", role: "group", ariaLabel: "Time"},
    button("◀", "Frame before", () => { viewer.pause(); viewer.stepFrame(-1); }), play,
    button("▶", "Next frame", () => { viewer.pause(); viewer.stepFrame(1); }),
    slider, said, make("label", {}, "Frames a second", speed));
}

/** Where the pointer is and which number lies there; for keys the middle of what is seen. */
export function readOut(viewer, more = () => "") {
  const said = make("p", {className: "read", id: "read"});
  const text = (y, x, read) => {
    if (!read) return "";
    const shown = (value) => (Number.isInteger(value) ? String(value) : Number(value.toPrecision(6)));
    const value = Array.isArray(read.value) ? read.value.map(shown).join(", ") : shown(read.value);
    const mean = read.step > 1 ? ` (mean of ${read.step} x ${read.step} px; zoom in for single ones)` : "";
    const extra = more(y, x);
    return `y ${Math.floor(y)}, x ${Math.floor(x)}: ${value}${mean}${extra ? `; ${extra}` : ""}`;
  };
  viewer.addEventListener("hover", ({detail}) => {
    said.textContent = detail ? text(detail.y, detail.x, detail.read) : "";
  });
  const middle = () => {
    if (!viewer.canvas.matches(":focus-visible")) return;
    const [y0, x0, y1, x1] = viewer.visible();
    const [y, x] = [(y0 + y1) / 2, (x0 + x1) / 2];
    said.textContent = `middle: ${text(y, x, viewer.valueAt(y, x))}`;
  };
  for (const name of ["view", "frame"]) viewer.addEventListener(name, middle);
  return said;
}

/** A switch, opacity and legend of each overlay. */
export function overlayBar(viewer, overlays) {
  const box = make("div", {});
  for (const overlay of overlays) {
    const check = make("input", {type: "checkbox"});
    const opacity = make("input", {type: "range", min: 0, max: 1, step: 0.05, value: overlay.opacity});
    const legend = make("span", {});
    const update = () => legend.replaceChildren(...(overlay.hidden ? [] : [overlay.legend()]));
    check.addEventListener("change", () => {
      overlay.hidden = !check.checked;
      const only = overlay.about.frame;
      if (!overlay.hidden && Number.isInteger(only)) viewer.setFrame(only);
      viewer.redraw();
      update();
    });
    opacity.addEventListener("input", () => {
      overlay.opacity = Number(opacity.value);
      viewer.redraw();
    });
    for (const name of ["overlay", "frame"]) viewer.addEventListener(name, update);
    const words = {map: "Class map", detections: "Detections"}[overlay.about.kind];
    box.append(make("fieldset", {className: "overlay"},
      make("legend", {}, words),
      make("label", {className: "inline"}, check, make("span", {className: "name"}, overlay.about.name)),
      make("label", {className: "inline"}, "Opacity", opacity), legend));
  }
  return box;
}

/** Channels to choose from; nothing where there is one. */
export function channelBar(about, chosen, choose) {
  if (about.channels.length < 2) return make("span", {hidden: true});
  const select = make("select", {});
  if (about.colour) select.append(make("option", {value: "colour", textContent: "colour"}));
  about.channels.forEach((name, n) => select.append(make("option", {value: String(n), textContent: name})));
  select.value = chosen;
  select.addEventListener("change", () => choose(select.value));
  return make("div", {className: "bar"}, make("label", {}, "Channel", select));
}

/** The keys of the viewer. */
export function keysHelp() {
  const rows = [["+ −", "zoom"], ["0", "the whole image"], ["1", "one to one"], ["arrows", "move"],
    ["space", "play, pause"], [", .", "frame before, next frame"]];
  const list = make("dl", {className: "facts"});
  for (const [key, text] of rows) {
    list.append(make("div", {}, make("dt", {}, make("kbd", {textContent: key})), make("dd", {textContent: text})));
  }
  return make("details", {className: "help"}, make("summary", {textContent: "Keys, while the image has the focus"}), list);
}
