/* The page of one image. */

import {channelBar, contrastBar, keysHelp, make, overlayBar, readOut, timeBar, zoomBar} from "./controls.js";
import {FieldViewer, ImageSource, faultOf} from "./field.js";
import {DetectionOverlay, MapOverlay} from "./overlays.js";

const place = document.getElementById("image");
const {address, name} = place.dataset;

async function asked(path) {
  const response = await fetch(address + path);
  if (!response.ok) throw await faultOf(response);
  return response.json();
}

function source(about, chosen) {
  const channels = chosen === "colour" ? [0, 1, 2] : [Number(chosen)];
  return new ImageSource(address, about, channels);
}

async function begin() {
  const about = await asked("/about");
  const settings = {
    pixelUm: about.pixel_um, frameS: about.frame_s, time0S: about.time0_s, limits: about.limits,
  };
  const first = about.colour ? "colour" : String(about.channel);
  const label = `${name}, ${about.height} by ${about.width} pixels`;
  const stage = make("div", {});
  place.replaceChildren(stage);
  const viewer = new FieldViewer(stage, source(about, first), {...settings, label});
  const overlays = about.overlays.map((each) => {
    const at = `${address}/overlays/${each.id}`;
    return each.kind === "map" ? new MapOverlay(at, each, viewer) : new DetectionOverlay(at, each, viewer);
  });
  viewer.overlays.push(...overlays);
  const over = (y, x) => overlays.filter((each) => !each.hidden)
    .map((each) => each.at(viewer.frame, y, x)).filter(Boolean).join("; ");
  const choose = async (channel) => {
    const number = channel === "colour" ? 0 : Number(channel);
    const {limits} = await asked(`/limits?channel=${number}`);
    viewer.show(source(about, channel), {...settings, limits, frame: viewer.frame, view: true});
    viewer.emit("contrast");
  };
  place.append(
    readOut(viewer, over), timeBar(viewer), contrastBar(viewer),
    make("div", {className: "bar"}, zoomBar(viewer), channelBar(about, first, choose)),
    overlayBar(viewer, overlays), keysHelp());
}

begin().catch((error) => {
  const box = make("div", {className: "warning", role: "alert"}, make("p", {}, make("b", {textContent: error.message})));
  if (error.detail) box.append(make("p", {textContent: error.detail}));
  box.append(make("p", {textContent: "Other images of the study are not touched by this."}));
  place.replaceChildren(box);
});

const job = document.getElementById("job");

async function watch() {
  try {
    const {state, step} = await asked("/job");
    if (state !== "waiting" && state !== "running") {
      window.location.reload();
      return;
    }
    const said = step || "Waiting for other work to end";
    if (job.textContent !== said) job.textContent = said;
  } catch { /* the line is down for now */ }
  setTimeout(watch, 1500);
}

if (job) setTimeout(watch, 1500);
