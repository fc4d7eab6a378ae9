"use strict";

// The plan is never stale: a changed wish greys the list and its button until the new list is there.

const wish = byId("wish");
let asked = 0;
let waiting = 0;

async function renew(address, options) {
  const mine = ++asked;
  const result = byId("result");
  result.classList.add("stale");
  result.inert = true;
  const { page, url } = await part("result", address, options);
  if (mine !== asked) return; // another wish came meanwhile
  byId("wrong")?.remove();
  const wrong = page.getElementById("wrong");
  if (wrong) wish.after(wrong);
  byId("result").replaceWith(page.getElementById("result") ?? result);
  if (!options) history.replaceState(null, "", url);
}

function address() {
  const chosen = new URLSearchParams([...new FormData(wish)].filter(([, value]) => value !== ""));
  return `/plan?${chosen}`;
}

wish.addEventListener("input", () => {
  const result = byId("result");
  result.classList.add("stale");
  result.inert = true;
  clearTimeout(waiting);
  waiting = setTimeout(() => renew(address()), 300);
});
wish.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(waiting);
  renew(address());
});

document.addEventListener("change", (event) => {
  const ticks = event.target.closest("#ticks");
  if (!ticks) return;
  if (event.target.matches("[data-folder]")) {
    for (const box of event.target.closest(".folder").querySelectorAll("[name=goes]")) box.checked = event.target.checked;
  }
  renew(ticks.action, { method: "post", body: new URLSearchParams(new FormData(ticks)) });
});
