"use strict";

// A region of a picture: drawn with a pointer, or given in numbers; both show the same rectangle.

const drawing = byId("drawing");
const form = byId("part");
const rects = drawing.querySelectorAll("rect");
const fields = Object.fromEntries(["left", "top", "width", "height"].map((name) => [name, form.elements[name]]));
const size = drawing.viewBox.baseVal;

function show() {
  const [left, top, width, height] = ["left", "top", "width", "height"].map((name) => Number(fields[name].value));
  for (const rect of rects) {
    for (const [name, value] of Object.entries({ x: left, y: top, width, height })) rect.setAttribute(name, value);
  }
}
for (const field of Object.values(fields)) field.addEventListener("input", show);

// Where a pointer is, in pixels of the picture.
function place(event) {
  const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(drawing.getScreenCTM().inverse());
  const inside = (value, most) => Math.max(0, Math.min(most, value));
  return [inside(at.x, size.width), inside(at.y, size.height)];
}

let from = null;
drawing.addEventListener("pointerdown", (event) => {
  event.preventDefault();
  drawing.setPointerCapture(event.pointerId);
  from = place(event);
});
drawing.addEventListener("pointermove", (event) => {
  if (!from) return;
  const to = place(event);
  const [left, top] = [0, 1].map((axis) => Math.floor(Math.min(from[axis], to[axis])));
  const [right, bottom] = [0, 1].map((axis) => Math.ceil(Math.max(from[axis], to[axis])));
  const values = { left, top, width: Math.max(1, right - left), height: Math.max(1, bottom - top) };
  for (const [name, value] of Object.entries(values)) fields[name].value = value;
  show();
});
for (const end of ["pointerup", "pointercancel"]) {
  drawing.addEventListener(end, () => {
    from = null;
  });
}
form.addEventListener("submit", () => {
  byId("busy").textContent = byId("busy").dataset.words;
});
show();
