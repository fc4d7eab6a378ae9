"use strict";

// Two pictures at any size up to all of their pixels, moved and enlarged in step: each is drawn through the map that
// puts it over the left one, from a small picture first, then from tiles of its file.

const stage = byId("stage");
const told = JSON.parse(stage.dataset.stage);
const views = stage.querySelector(".views");
const canvases = [byId("canvas-left"), byId("canvas-right")];
const MODES = ["side", "swipe", "blink", "difference", "outline"];
const TILE = 512;
const SMALLEST_LEVEL = 800; // pixels; as the server cuts
const MOST_SCALE = 16; // device pixels a pixel of the left picture
const KEPT = 600; // tiles
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;

// ---------------------------------------------------------------------------------------------------- the pictures
const HALF = [1, 0, 0.5, 0, 1, 0.5];
const BACK = [1, 0, -0.5, 0, 1, -0.5];

// The map that does first b, then a; both as rows (xx, xy, x0, yx, yy, y0).
function after(a, b) {
  return [
    a[0] * b[0] + a[1] * b[3],
    a[0] * b[1] + a[1] * b[4],
    a[0] * b[2] + a[1] * b[5] + a[2],
    a[3] * b[0] + a[4] * b[3],
    a[3] * b[1] + a[4] * b[4],
    a[3] * b[2] + a[4] * b[5] + a[5],
  ];
}

function inverse([a, b, c, d, e, f]) {
  const size = a * e - b * d;
  return [e / size, -b / size, (b * f - c * e) / size, -d / size, a / size, (c * d - a * f) / size];
}

// A registration counts from the centre of the first pixel, a canvas from its corner.
const pictures = [
  { ...told.left, map: [1, 0, 0, 0, 1, 0] },
  { ...told.right, map: after(HALF, after(told.matrix, BACK)) },
];
for (const picture of pictures) {
  picture.levels = 1;
  for (let side = Math.max(picture.width, picture.height); side > SMALLEST_LEVEL; side = Math.ceil(side / 2)) {
    picture.levels += 1;
  }
}

const images = new Map();
function image(address) {
  let one = images.get(address);
  if (!one) {
    one = new Image();
    one.decoding = "async";
    one.addEventListener("load", draw);
    one.src = address;
    images.set(address, one);
    if (images.size > KEPT) images.delete(images.keys().next().value);
  }
  return one.complete && one.naturalWidth ? one : null;
}

const loading = () => [...images.values()].some((one) => !one.complete);
let depths = ""; // the window of deep pictures, as a query

// ------------------------------------------------------------------------------------------------------- the view
const view = { fit: true, scale: 1, x: told.left.width / 2, y: told.left.height / 2, mode: "side", border: 0.5 };
let blinked = false;

const ratio = () => window.devicePixelRatio || 1;
const single = () => view.mode !== "side";

function fitted() {
  const box = canvases[0];
  const corners = [];
  for (const one of pictures) {
    for (const [x, y] of [[0, 0], [one.width, 0], [0, one.height], [one.width, one.height]]) {
      corners.push([one.map[0] * x + one.map[1] * y + one.map[2], one.map[3] * x + one.map[4] * y + one.map[5]]);
    }
  }
  const xs = corners.map((corner) => corner[0]);
  const ys = corners.map((corner) => corner[1]);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  view.x = (left + right) / 2;
  view.y = (top + bottom) / 2;
  view.scale = Math.min(box.width / (right - left), box.height / (bottom - top)) * 0.98;
}

// From pixels of the left picture to device pixels of a canvas.
function onto(canvas) {
  return [view.scale, 0, canvas.width / 2 - view.x * view.scale, 0, view.scale, canvas.height / 2 - view.y * view.scale];
}

function paint(context, picture) {
  const canvas = context.canvas;
  const map = after(onto(canvas), picture.map);
  const scale = Math.sqrt(Math.abs(map[0] * map[4] - map[1] * map[3]));
  context.setTransform(map[0], map[3], map[1], map[4], map[2], map[5]);
  context.imageSmoothingEnabled = scale < 2;
  context.imageSmoothingQuality = "high";
  const longest = Math.max(picture.width, picture.height);
  const wanted = scale * longest;
  const small = image(`/picture/${picture.id}.jpg`);
  const large = longest > 480 && wanted > 500 && !depths ? image(`/picture/${picture.id}.jpg?side=1600`) : null;
  const base = large ?? small;
  if (base) context.drawImage(base, 0, 0, picture.width, picture.height);
  if (wanted > 1600 || (depths && picture.deep)) tiles(context, picture, map, scale);
  context.setTransform(1, 0, 0, 1, 0, 0);
}

function tiles(context, picture, map, scale) {
  const level = Math.max(0, Math.min(picture.levels - 1, Math.floor(Math.log2(1 / scale))));
  const side = TILE * 2 ** level;
  const back = inverse(map);
  const { width, height } = context.canvas;
  const xs = [];
  const ys = [];
  for (const [x, y] of [[0, 0], [width, 0], [0, height], [width, height]]) {
    xs.push(back[0] * x + back[1] * y + back[2]);
    ys.push(back[3] * x + back[4] * y + back[5]);
  }
  const last = (size) => Math.ceil(Math.ceil(size / 2 ** level) / TILE) - 1;
  const clamp = (value, most) => Math.max(0, Math.min(most, Math.floor(value / side)));
  for (let row = clamp(Math.min(...ys), last(picture.height)); row <= clamp(Math.max(...ys), last(picture.height)); row++) {
    for (let column = clamp(Math.min(...xs), last(picture.width)); column <= clamp(Math.max(...xs), last(picture.width)); column++) {
      const query = picture.deep ? depths : "";
      const tile = image(`/tiles/${picture.id}/${level}/${row}/${column}${query}`);
      if (!tile) continue;
      const [x, y] = [column * side, row * side];
      const wide = Math.min(tile.naturalWidth * 2 ** level, picture.width - x);
      const high = Math.min(tile.naturalHeight * 2 ** level, picture.height - y);
      context.drawImage(tile, x, y, wide, high);
    }
  }
}

function outline(context, picture, colour) {
  const map = after(onto(context.canvas), picture.map);
  context.beginPath();
  for (const [x, y] of [[0, 0], [picture.width, 0], [picture.width, picture.height], [0, picture.height]]) {
    context.lineTo(map[0] * x + map[1] * y + map[2], map[3] * x + map[4] * y + map[5]);
  }
  context.closePath();
  context.strokeStyle = colour;
  context.lineWidth = 2 * ratio();
  context.stroke();
}

function regions(context) {
  const map = onto(context.canvas);
  for (const [top, left, height, width] of told.regions) {
    const box = [map[0] * left + map[2], map[4] * top + map[5], map[0] * width, map[4] * height];
    for (const [colour, line] of [["rgb(0 0 0 / 0.6)", 4], ["#ffb000", 2]]) {
      context.strokeStyle = colour;
      context.lineWidth = line * ratio();
      context.strokeRect(...box);
    }
  }
}

const scratch = document.createElement("canvas");
function pixels(picture, { width, height }) {
  Object.assign(scratch, { width, height }); // clears it too
  const context = scratch.getContext("2d", { willReadFrequently: true });
  paint(context, picture);
  return context.getImageData(0, 0, width, height);
}

// Black = equal, over red and yellow to white. Returns the largest difference of a channel, 0..255.
function difference(context, gain) {
  const [one, other] = pictures.map((picture) => pixels(picture, context.canvas).data);
  const shown = context.createImageData(context.canvas.width, context.canvas.height);
  let largest = 0;
  for (let at = 0; at < one.length; at += 4) {
    if (one[at + 3] < 255 || other[at + 3] < 255) continue; // not in both
    const off = Math.max(
      Math.abs(one[at] - other[at]),
      Math.abs(one[at + 1] - other[at + 1]),
      Math.abs(one[at + 2] - other[at + 2]),
    );
    if (off > largest) largest = off;
    const value = Math.min(765, 3 * off * gain);
    shown.data[at] = Math.min(255, value);
    shown.data[at + 1] = Math.min(255, Math.max(0, value - 255));
    shown.data[at + 2] = Math.min(255, Math.max(0, value - 510));
    shown.data[at + 3] = 255;
  }
  context.putImageData(shown, 0, 0);
  return largest;
}

function say(largest) {
  const words = byId("told");
  const parts = [];
  if (largest !== null) parts.push(words.dataset.largest.replace("{n}", largest));
  if (largest !== null && told.largest !== null) parts.push(words.dataset.proof.replace("{n}", told.largest));
  if (told.regions.length) parts.push(words.dataset.places);
  const text = parts.join("").replace(/^; /, "");
  if (words.textContent !== text) words.textContent = text;
}

// The canvases are as high as the pictures need, within what the window leaves.
function suitHeight() {
  const wide = canvases[0].clientWidth;
  const room = getComputedStyle(canvases[0]);
  const [least, most] = [parseFloat(room.minHeight), parseFloat(room.maxHeight)];
  const needed = Math.max(...[told.left, told.right].map((one) => (wide * one.height) / one.width)) + 8;
  const height = `${Math.round(Math.max(least, Math.min(most, needed)))}px`;
  for (const canvas of canvases) if (canvas.style.height !== height) canvas.style.height = height;
}

// -------------------------------------------------------------------------------------------------------- drawing
let due = 0;
function draw() {
  if (!due) due = requestAnimationFrame(drawNow);
}

function drawNow() {
  due = 0;
  suitHeight();
  for (const canvas of canvases) {
    const width = Math.round(canvas.clientWidth * ratio());
    const height = Math.round(canvas.clientHeight * ratio());
    if (width && height && (canvas.width !== width || canvas.height !== height)) Object.assign(canvas, { width, height });
  }
  if (view.fit) fitted();
  const [left, right] = canvases.map((canvas) => canvas.getContext("2d"));
  for (const context of [left, right]) context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  let largest = null;
  if (view.mode === "side") {
    paint(left, pictures[0]);
    paint(right, pictures[1]);
    regions(right);
  } else if (view.mode === "swipe") {
    const border = view.border * left.canvas.width;
    paint(left, pictures[0]);
    left.save();
    left.beginPath();
    left.rect(border, 0, left.canvas.width, left.canvas.height);
    left.clip();
    left.clearRect(border, 0, left.canvas.width, left.canvas.height);
    paint(left, pictures[1]);
    left.restore();
    left.fillStyle = "#ffb000";
    left.fillRect(border - ratio(), 0, 2 * ratio(), left.canvas.height);
  } else if (view.mode === "blink") {
    paint(left, pictures[blinked ? 1 : 0]);
  } else if (view.mode === "difference") {
    largest = difference(left, Number(byId("gain").value));
  } else {
    paint(left, pictures[0]);
    Object.assign(scratch, { width: left.canvas.width, height: left.canvas.height });
    paint(scratch.getContext("2d", { willReadFrequently: true }), pictures[1]);
    left.globalAlpha = 0.5;
    left.drawImage(scratch, 0, 0);
    left.globalAlpha = 1;
    outline(left, pictures[0], "#f0c000");
    outline(left, pictures[1], "#e040c0");
  }
  if (view.mode !== "swipe") regions(left);
  say(largest);
  byId("scale").textContent = `${Math.round(100 * view.scale)} %`;
  for (const canvas of canvases) canvas.classList.toggle("zoomed", !view.fit);
  stage.dataset.scale = view.scale;
  stage.dataset.loading = loading() ? "1" : "";
}

// --------------------------------------------------------------------------------------------------- moving about
// Keep the point of the left picture under (x, y), device pixels of a canvas, where it is.
function zoom(scale, x, y) {
  const canvas = canvases[0];
  const at = [view.x + (x - canvas.width / 2) / view.scale, view.y + (y - canvas.height / 2) / view.scale];
  const least = Math.min(0.01, 32 / Math.max(told.left.width, told.left.height));
  view.scale = Math.max(least, Math.min(MOST_SCALE, scale));
  view.x = at[0] - (x - canvas.width / 2) / view.scale;
  view.y = at[1] - (y - canvas.height / 2) / view.scale;
  view.fit = false;
  draw();
}

const middle = () => [canvases[0].width / 2, canvases[0].height / 2];
const fit = () => {
  view.fit = true;
  draw();
};
const full = (x, y) => (view.fit || Math.abs(view.scale - 1) > 1e-3 ? zoom(1, x, y) : fit());

const ZOOMS = {
  in: () => zoom(view.scale * 1.5, ...middle()),
  out: () => zoom(view.scale / 1.5, ...middle()),
  full: () => zoom(1, ...middle()),
  fit,
};
for (const button of stage.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => ZOOMS[button.dataset.zoom]());
}

function place(event) {
  const box = event.currentTarget.getBoundingClientRect();
  return [(event.clientX - box.left) * ratio(), (event.clientY - box.top) * ratio()];
}

const held = new Map(); // pointers on a canvas
let moved = null; // since the first one came down
for (const canvas of canvases) {
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(view.scale * 2 ** (-event.deltaY / 400), ...place(event));
    },
    { passive: false },
  );
  canvas.addEventListener("dblclick", (event) => full(...place(event)));
  canvas.addEventListener("pointerdown", (event) => {
    held.set(event.pointerId, place(event));
    if (held.size === 1) moved = [0, 0];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    const by = [now[0] - before[0], now[1] - before[1]];
    held.set(event.pointerId, now);
    if (held.size === 2) {
      const [other] = [...held].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
      const apart = (at) => Math.hypot(at[0] - other[0], at[1] - other[1]);
      zoom((view.scale * apart(now)) / Math.max(1, apart(before)), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      moved = null;
      return;
    }
    if (moved) moved = [moved[0] + by[0], moved[1] + by[1]];
    if (view.mode === "swipe" && view.fit) {
      border(now[0] / canvas.width);
    } else if (!view.fit) {
      view.x -= by[0] / view.scale;
      view.y -= by[1] / view.scale;
      draw();
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      held.delete(event.pointerId);
      if (moved && view.fit && view.mode !== "swipe" && event.pointerType === "touch" && end === "pointerup") {
        swept(moved[0] / ratio(), moved[1] / ratio());
      }
      moved = null;
    });
  }
  canvas.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by || view.fit) return;
    event.preventDefault();
    view.x += (by[0] * 60) / view.scale;
    view.y += (by[1] * 60) / view.scale;
    draw();
  });
}

function border(share) {
  view.border = Math.max(0, Math.min(1, share));
  byId("border").value = Math.round(100 * view.border);
  draw();
}
byId("border").addEventListener("input", (event) => border(event.target.value / 100));
byId("gain").addEventListener("input", draw);
for (const name of ["low", "high"]) {
  byId(name)?.addEventListener("change", () => {
    const low = Number(byId("low").value);
    const high = Math.max(low + 1, Number(byId("high").value));
    depths = low === 0 && high === 20 ? "" : `?low=${low}&high=${high}`;
    draw();
  });
}

// -------------------------------------------------------------------------------------------------------- the mode
function setMode(mode) {
  view.mode = mode;
  views.dataset.mode = mode;
  stage.dataset.mode = mode;
  stage.querySelector(`input[value="${mode}"]`).checked = true;
  remember("mode", mode);
  draw();
}
for (const input of stage.querySelectorAll("input[name=mode]")) {
  input.addEventListener("change", () => setMode(input.value));
}
setInterval(() => {
  if (view.mode !== "blink" || calm || document.hidden) return;
  blinked = !blinked;
  stage.dataset.blinked = blinked ? "1" : "";
  drawNow();
}, 700);
canvases[0].addEventListener("click", () => {
  if (view.mode !== "blink" || !calm) return; // without motion, a click changes the picture
  blinked = !blinked;
  draw();
});

document.addEventListener("keydown", (event) => {
  if (taken(event)) return;
  if (event.key === "v") setMode(MODES[(MODES.indexOf(view.mode) + 1) % MODES.length]);
  else if (event.key === "z") full(...middle());
  else if (event.key === "+" || event.key === "=") ZOOMS.in();
  else if (event.key === "-") ZOOMS.out();
});

new ResizeObserver(draw).observe(views);
setMode(MODES.includes(remembered("mode")) ? remembered("mode") : "side");
