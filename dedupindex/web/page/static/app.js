"use strict";

// Everything here is also reachable by links and buttons; this adds keys, dates as the reader writes them, dropping a
// picture, and a guard against sending twice.

const byId = (id) => document.getElementById(id);
const help = byId("help");
document.documentElement.classList.add("js");

function remember(name, value) {
  try {
    sessionStorage.setItem(name, value);
  } catch {
    // storage may be switched off
  }
}

function remembered(name) {
  try {
    return sessionStorage.getItem(name);
  } catch {
    return null;
  }
}

// The part of another page with this id; null where that page has none.
async function part(id, address, options) {
  const answer = await fetch(address, { headers: { accept: "text/html", "x-part": "1" }, ...options });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  return { part: page.getElementById(id), page, url: answer.url, ok: answer.ok };
}

function writeDates(root) {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = format.format(moment);
  }
}
writeDates(document);

// One decision a page: a key that repeats must not decide on the next group too.
let sent = false;
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (sent || (form.dataset.ask && !window.confirm(form.dataset.ask))) {
    event.preventDefault();
    return;
  }
  sent = true;
});
window.addEventListener("pageshow", () => {
  sent = false;
});

const KEYS = {
  j: "next",
  k: "previous",
  ArrowRight: "next",
  ArrowLeft: "previous",
  Enter: "keep-first",
  b: "both",
  n: "apart",
  s: "skip",
  p: "collect",
  t: "trash",
  u: "undo",
  y: "stack-all",
  r: "part-of",
  d: "stack-apart",
};

// Whether a key is meant for what has the focus, and not for the page.
function taken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open]")) {
    return true;
  }
  const target = event.target;
  if (target.closest("input:not([type=radio], [type=checkbox], [type=range]), select, textarea")) return true;
  if (event.key === "Enter" && target.closest("a, button, summary, input")) return true;
  return event.key.startsWith("Arrow") && Boolean(target.closest("input, .scroll, .zoomed"));
}

document.addEventListener("keydown", (event) => {
  if (taken(event)) return;
  if (event.key === "?") {
    event.preventDefault();
    help.showModal();
    return;
  }
  if (event.key === "h" || event.key === "l") {
    const members = [...document.querySelectorAll("[data-compare]")];
    const now = Number(byId("stage")?.dataset.right);
    const there = members.filter((link) => (event.key === "l") === Number(link.dataset.compare) > now);
    (event.key === "l" ? there[0] : there.at(-1))?.click();
    return;
  }
  const button = /^[1-9]$/.test(event.key)
    ? document.querySelector(`[data-keep="${event.key}"]`)
    : Object.hasOwn(KEYS, event.key)
      ? byId(KEYS[event.key])
      : null;
  if (button) {
    event.preventDefault();
    button.click();
  }
});

for (const button of document.querySelectorAll("[data-help]")) {
  button.addEventListener("click", () => help.showModal());
}

const more = document.querySelector("details.more");
document.addEventListener("click", (event) => {
  if (!more.contains(event.target)) more.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") more.open = false;
});

// On a touch screen, a sweep beside the pictures goes to the next or the previous group.
let sweep = null;
document.addEventListener("touchstart", (event) => {
  const where = event.touches[0];
  sweep = event.touches.length === 1 && !event.target.closest("canvas, input, .scroll") ? where : null;
});
document.addEventListener("touchend", (event) => {
  if (sweep) swept(event.changedTouches[0].clientX - sweep.clientX, event.changedTouches[0].clientY - sweep.clientY);
  sweep = null;
});

function swept(right, down) {
  if (Math.abs(right) < 70 || Math.abs(right) < 2 * Math.abs(down)) return;
  byId(right < 0 ? "next" : "previous")?.click();
}

const ask = byId("ask");
if (ask) {
  const input = byId("picture");
  const drop = (on) => (event) => {
    event.preventDefault();
    ask.classList.toggle("over", on);
  };
  const search = (given) => {
    if (!given.length) return;
    input.files = given;
    ask.requestSubmit();
  };
  document.addEventListener("dragover", drop(true));
  document.addEventListener("dragleave", drop(false));
  document.addEventListener("drop", (event) => {
    drop(false)(event);
    search(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData.files.length) return;
    event.preventDefault();
    search(event.clipboardData.files);
  });
  input.addEventListener("change", () => search(input.files));
  ask.addEventListener("submit", () => {
    byId("busy").textContent = byId("busy").dataset.words;
  });
}
