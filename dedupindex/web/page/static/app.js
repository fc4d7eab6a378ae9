"use strict";

// Everything here is also reachable by links and buttons; this adds keys, dropping a picture, and quick switching.

const byId = (id) => document.getElementById(id);

const MODES = ["side", "blink", "difference", "outline"];
const stage = byId("stage");
const help = byId("help");

function setMode(mode) {
  stage.querySelector(".views").dataset.mode = mode;
  stage.querySelector(`input[value="${mode}"]`).checked = true;
  try {
    sessionStorage.setItem("mode", mode);
  } catch {
    // storage may be switched off
  }
}

function show(number) {
  stage.dataset.number = number;
  for (const image of stage.querySelectorAll("[data-view]")) {
    image.src = `/aligned/${stage.dataset.group}/${number}/${image.dataset.view}.jpg`;
  }
  for (const text of stage.querySelectorAll(".of")) text.textContent = number;
  const most = byId(`no-${number}`)?.dataset.most;
  for (const text of stage.querySelectorAll(".most")) text.textContent = most ? `, ${most}` : "";
  for (const member of document.querySelectorAll(".member")) {
    member.classList.toggle("current", member.dataset.number === String(number));
  }
  byId("said").textContent = `No. 1 and no. ${number}`;
}

function step(by) {
  const numbers = stage.dataset.numbers.split(" ");
  const place = numbers.indexOf(stage.dataset.number) + by;
  if (place >= 0 && place < numbers.length) show(numbers[place]);
}

if (stage) {
  let mode = "side";
  try {
    mode = sessionStorage.getItem("mode") || "side";
  } catch {
    // as above
  }
  setMode(MODES.includes(mode) ? mode : "side");
  for (const input of stage.querySelectorAll("input[name=mode]")) {
    input.addEventListener("change", () => setMode(input.value));
  }
  for (const link of document.querySelectorAll("[data-compare]")) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(link.dataset.compare);
      stage.scrollIntoView({ block: "nearest" });
    });
  }
}

// One decision a page: a key that repeats must not decide on the next group too.
let sent = false;
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (sent || (form.dataset.ask && !window.confirm(form.dataset.ask))) {
      event.preventDefault();
      return;
    }
    sent = true;
  });
}
window.addEventListener("pageshow", () => {
  sent = false;
});

const KEYS = {
  j: () => byId("next"),
  k: () => byId("previous"),
  ArrowRight: () => byId("next"),
  ArrowLeft: () => byId("previous"),
  Enter: () => byId("keep-first"),
  b: () => byId("both"),
  n: () => byId("apart"),
  u: () => byId("undo"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || help.open) return;
  const target = event.target;
  if (target.closest("input:not([type=radio]), select, textarea")) return;
  if (event.key === "Enter" && target.closest("a, button, summary, input")) return;
  if (event.key.startsWith("Arrow") && target.closest("input, .scroll")) return;
  if (event.key === "?") {
    event.preventDefault();
    help.showModal();
    return;
  }
  if (stage && (event.key === "h" || event.key === "l")) step(event.key === "l" ? 1 : -1);
  if (stage && event.key === "v") {
    const now = MODES.indexOf(stage.querySelector(".views").dataset.mode);
    setMode(MODES[(now + 1) % MODES.length]);
  }
  const digit = /^[1-9]$/.test(event.key);
  const button = digit
    ? document.querySelector(`[data-keep="${event.key}"]`)
    : Object.hasOwn(KEYS, event.key)
      ? KEYS[event.key]()
      : null;
  if (button) {
    event.preventDefault();
    button.click();
  }
});

byId("show-help")?.addEventListener("click", () => help.showModal());

const ask = byId("ask");
if (ask) {
  const input = byId("picture");
  const drop = (on) => (event) => {
    event.preventDefault();
    ask.classList.toggle("over", on);
  };
  document.addEventListener("dragover", drop(true));
  document.addEventListener("dragleave", drop(false));
  document.addEventListener("drop", (event) => {
    drop(false)(event);
    if (!event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    ask.requestSubmit();
  });
  ask.addEventListener("submit", () => {
    byId("busy").textContent = "Searching …";
  });
}
