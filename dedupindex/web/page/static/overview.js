"use strict";

// The list: selecting groups, saying what an action means before it happens, filters that act at once.

const bulk = byId("bulk");
const filters = document.querySelector("form.filters");
const boxes = () => [...document.querySelectorAll(".card input[name=group]")];

for (const field of filters.querySelectorAll("select, input[type=checkbox]")) {
  field.addEventListener("change", () => filters.requestSubmit());
}
filters.addEventListener("submit", () => {
  // what is empty, or as it is anyway, need not stand in the address
  for (const field of filters.querySelectorAll("input, select")) {
    const usual = { least: "0.0", most: "1.0", state: "open", order: "largest" }[field.name] ?? "";
    field.disabled = field.value === usual && field.type !== "checkbox";
  }
});
window.addEventListener("pageshow", () => {
  for (const field of filters.querySelectorAll(":disabled")) field.disabled = false;
});

function count() {
  const all = byId("all");
  const chosen = all.checked ? Number(bulk.dataset.total) : boxes().filter((box) => box.checked).length;
  const words = byId("selected");
  words.textContent = chosen ? words.dataset.some.replace("{n}", chosen.toLocaleString()) : words.dataset.none;
  for (const button of bulk.querySelectorAll(".actions button")) button.disabled = !chosen;
  for (const box of boxes()) {
    box.closest(".card").classList.toggle("selected", box.checked || all.checked);
  }
  byId("all-here").checked = boxes().length > 0 && boxes().every((box) => box.checked);
  bulk.classList.toggle("some", chosen > 0);
}

let last = -1;
function select(box, on, range) {
  const all = boxes();
  const place = all.indexOf(box);
  const from = range && last >= 0 ? Math.min(last, place) : place;
  const to = range && last >= 0 ? Math.max(last, place) : place;
  for (const one of all.slice(from, to + 1)) one.checked = on;
  last = place;
  byId("all").checked = false;
  count();
}

if (bulk) {
  bulk.addEventListener("click", (event) => {
    if (event.target.matches(".card input")) select(event.target, event.target.checked, event.shiftKey);
  });
  byId("all").addEventListener("change", count);
  byId("all-here").addEventListener("change", (event) => {
    for (const box of boxes()) box.checked = event.target.checked;
    byId("all").checked = false;
    count();
  });
  window.addEventListener("pageshow", count);
  count();

  const dialog = byId("said");
  bulk.addEventListener("submit", async (event) => {
    event.preventDefault();
    const data = new FormData(bulk);
    data.set("do", event.submitter.value);
    const { part: said } = await part("meaning", bulk.action, { method: "post", body: new URLSearchParams(data) });
    if (!said) return;
    dialog.replaceChildren(said);
    dialog.querySelector("[data-close]").addEventListener("click", (click) => {
      click.preventDefault();
      dialog.close();
    });
    dialog.showModal();
  });
}

const cards = () => [...document.querySelectorAll("a.group")];
const STEPS = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
document.addEventListener("keydown", (event) => {
  if (taken(event) || !bulk) return;
  if (event.key === "/") {
    event.preventDefault();
    byId("find").focus();
  } else if (event.key in STEPS) {
    event.preventDefault();
    const all = cards();
    const now = all.indexOf(document.activeElement.closest(".card")?.querySelector("a.group"));
    all[Math.max(0, Math.min(all.length - 1, now + STEPS[event.key]))]?.focus();
  } else if (event.key === "x" || event.key === "X") {
    const box = document.activeElement.closest(".card")?.querySelector("input");
    if (box) select(box, !box.checked, event.shiftKey);
  } else if (event.key === "a") {
    if (byId("all-here").checked) byId("all").click();
    else byId("all-here").click();
  }
});

// While a scan runs, groups appear.
async function renew() {
  const { page } = await part("main", location.href);
  const list = document.querySelector("ul.groups");
  const fresh = page.querySelector("ul.groups");
  if (list && fresh && !boxes().some((box) => box.checked) && !list.contains(document.activeElement)) {
    list.replaceWith(fresh);
  } else if (!list && fresh) {
    location.reload();
    return;
  }
  document.querySelector("h1").replaceWith(page.querySelector("h1"));
  if (page.getElementById("scanning")) setTimeout(renew, 4000);
  else byId("scanning")?.remove();
}
if (byId("scanning")) setTimeout(renew, 4000);
