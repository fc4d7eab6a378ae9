"use strict";

// The progress of a scan, live.

const progress = byId("progress");
const number = (value) => Math.round(value).toLocaleString();

function time(seconds) {
  if (seconds === null) return "–";
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function show(state) {
  progress.hidden = state.phase === "none";
  byId("phase").textContent = byId("phase").dataset[state.phase] ?? "";
  const bar = byId("bar");
  if (state.total) {
    bar.max = state.total;
    bar.value = Math.min(state.done, state.total);
  } else if (state.running) {
    bar.removeAttribute("value");
  }
  for (const name of ["found", "described", "searched", "proven", "failures"]) {
    byId(name).textContent = number(state[name]);
  }
  byId("rate").textContent = state.rate ? state.rate.toFixed(state.rate < 10 ? 1 : 0) : "–";
  byId("left").textContent = time(state.left);
  byId("words").textContent = state.words.replaceAll("\n", "; ");
}

if (progress.dataset.running) {
  const source = new EventSource("/scan/events");
  source.addEventListener("message", (event) => {
    const state = JSON.parse(event.data);
    show(state);
    if (!state.running) {
      source.close();
      location.replace("/scan");
    }
  });
}
