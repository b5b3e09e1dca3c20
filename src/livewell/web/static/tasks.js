// The form of a new task: sizes in micrometres, and only what the kind of item needs.

const form = document.querySelector(".task-form");
const pixelUm = Number(form.dataset.pixelUm) || null;
const size = form.elements.size_px;
const told = document.getElementById("size-um");

function sized() {
  const px = Number(size.value);
  if (told) told.textContent = px && pixelUm ? `${px} px are ${Number((px * pixelUm).toPrecision(3))} µm.` : "";
}

function fitted() {
  const kind = form.elements.kind.value;
  form.elements.frames.disabled = kind !== "sequence";
  size.disabled = kind === "frame" || kind === "cells";
}

size.addEventListener("input", sized);
form.addEventListener("change", fitted);
form.addEventListener("submit", () => {
  const button = form.querySelector("button.main");
  button.textContent = "Drawing items ...";
  // after the form has been read
  setTimeout(() => { button.disabled = true; }, 0);
});
sized();
fitted();
