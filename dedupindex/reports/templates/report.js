"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const list = byId("groups"), groups = all("details.group", list);
  const folders = JSON.parse(byId("folder-names").textContent).map((name) => name.toLowerCase());
  let chosen = groups, page = 0;

  // Pictures are stored once, as text; each is made an image when it comes near to what is seen.
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) { near.unobserve(target); show(target, target.dataset.picture); }
    }
  }, { rootMargin: "600px" });
  function show(image, number) {
    const stored = byId("p" + number);
    if (stored) { image.src = stored.textContent; }
  }
  const watch = (root) => all("img[data-picture]:not([src])", root).forEach((image) => near.observe(image));

  addEventListener("beforeprint", () => all("img[data-picture]:not([src])").forEach((image) => show(image, image.dataset.picture)));

  function fill(details) {
    const body = details.querySelector(":scope > script");
    if (!body) { return; }
    body.remove();
    details.insertAdjacentHTML("beforeend", body.textContent);  // written by the template, names escaped
    watch(details);
  }
  document.addEventListener("toggle", (event) => { if (event.target.open) { fill(event.target); } }, true);

  // ---------------------------------------------------------------------------------------------- the index
  const relation = byId("relation"), folder = byId("folder"), order = byId("order"), size = byId("page-size");
  const FIGURES = { size: "files", bytes: "bytes", score: "score", date: "date" };
  function choose() {
    const words = folder.value.trim().toLowerCase();
    const hits = new Set(folders.flatMap((name, number) => name.includes(words) ? [String(number)] : []));
    chosen = groups.filter(({ dataset }) =>
      (!relation.value || dataset.relations.split(" ").includes(relation.value)) &&
      (!words || dataset.folders.split(" ").some((number) => hits.has(number))));
    const figure = FIGURES[order.value];
    if (figure) { chosen = [...chosen].sort((a, b) => b.dataset[figure] - a.dataset[figure]); }
    turn(0);
  }
  function turn(to) {
    const many = Number(size.value) || Math.max(1, chosen.length);
    const pages = Math.max(1, Math.ceil(chosen.length / many));
    page = Math.min(Math.max(0, to), pages - 1);
    const shown = chosen.slice(page * many, (page + 1) * many);
    list.replaceChildren(...shown);
    watch(list);
    byId("shown").textContent = chosen.length === groups.length
      ? `${groups.length.toLocaleString("en")} groups` : `${chosen.length.toLocaleString("en")} of ${groups.length.toLocaleString("en")} groups`;
    for (const nav of all("nav.pages")) {
      nav.hidden = pages < 2;
      nav.querySelector("span").textContent = `page ${page + 1} of ${pages}`;
      nav.querySelector("[data-turn='-1']").disabled = page === 0;
      nav.querySelector("[data-turn='1']").disabled = page === pages - 1;
    }
  }
  for (const field of [relation, folder, order, size]) { field.addEventListener("input", choose); }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) { return; }
    if (button.dataset.turn) { turn(page + Number(button.dataset.turn)); list.scrollIntoView(); }
    if (button.dataset.open) { all("details.group", list).forEach((details) => { details.open = button.dataset.open === "1"; }); }
    if (button.classList.contains("picture")) { enlarge(button.closest("li")); }
  });
  function follow() {
    const target = groups.find((details) => details.id === decodeURIComponent(location.hash.slice(1)));
    if (!target) { return; }
    if (!chosen.includes(target)) { relation.value = folder.value = ""; choose(); }
    turn(Math.floor(chosen.indexOf(target) / (Number(size.value) || groups.length)));
    target.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", follow);

  // -------------------------------------------------------------------------- two pictures over one another
  const box = byId("lightbox"), stage = byId("stage"), under = byId("under"), over = byId("over");
  const mix = byId("mix"), turns = byId("turns"), difference = byId("difference");
  let current = null, timer = 0;
  const numbers = (text) => (text || "").split(" ").filter(Boolean).map(Number);
  function enlarge(item) {
    current = item;
    if (!box.open) { box.showModal(); }
    draw();
  }
  function draw() {
    const first = current.parentElement.firstElementChild, alone = !current.dataset.matrix;
    const base = alone ? current : first;
    const [width, height] = numbers(base.dataset.size);
    const [left, top, wide, high] = alone ? [0, 0, width, height] : numbers(current.dataset.outside);
    const room = stage.parentElement.getBoundingClientRect();
    const scale = Math.min(room.width / wide, room.height / high);
    stage.style.width = `${wide * scale}px`;
    stage.style.height = `${high * scale}px`;
    place(under, base, `translate(${-left * scale}px, ${-top * scale}px)`, scale);
    over.hidden = alone;
    all(".changed", stage).forEach((mark) => mark.remove());
    if (!alone) {
      const [a, b, c, d, e, f] = numbers(current.dataset.matrix);
      place(over, current, `matrix(${a}, ${b}, ${c}, ${d}, ${(e - left) * scale}, ${(f - top) * scale})`, scale);
      for (const part of (current.dataset.changed || "").split(";").filter(Boolean)) {
        const [x, y, w, h] = numbers(part), mark = document.createElement("div");
        mark.className = "changed";
        Object.assign(mark.style, { left: `${(x - left) * scale}px`, top: `${(y - top) * scale}px`, width: `${w * scale}px`, height: `${h * scale}px` });
        stage.append(mark);
      }
    }
    byId("lightbox-title").textContent = current.dataset.title;
    byId("lightbox-words").textContent = current.dataset.words || "";
    byId("mixing").hidden = alone;
    blend();
  }
  function place(image, item, transform, scale) {
    const [width, height] = numbers(item.dataset.size), small = item.querySelector("img");
    image.removeAttribute("src");
    if (small) { show(image, small.dataset.picture); image.alt = small.alt; }
    Object.assign(image.style, { width: `${width * scale}px`, height: `${height * scale}px`, transform });
  }
  function blend() {
    clearInterval(timer);
    stage.classList.toggle("difference", difference.checked);
    over.style.opacity = difference.checked ? 1 : mix.value / 100;
    mix.disabled = turns.checked || difference.checked;
    if (turns.checked && !difference.checked) {
      let seen = 1;
      timer = setInterval(() => { over.style.opacity = seen = 1 - seen; }, 800);
    }
  }
  function step(by) {
    const items = [...current.parentElement.children], to = items[items.indexOf(current) + by];
    if (to) { enlarge(to); }
  }
  for (const field of [mix, turns, difference]) { field.addEventListener("input", blend); }
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => box.close());
  box.addEventListener("close", () => clearInterval(timer));
  box.addEventListener("keydown", (event) => {
    if (event.target === mix) { return; }
    if (event.key === "ArrowLeft") { step(-1); }
    if (event.key === "ArrowRight") { step(1); }
  });
  addEventListener("resize", () => { if (box.open) { draw(); } });

  byId("filters").hidden = !groups.length;
  choose();
  all("details.group[open]").forEach(fill);
  follow();
})();
