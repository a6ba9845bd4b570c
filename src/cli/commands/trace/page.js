"use strict";
// One moment for all plots: under the pointer, or moved by the arrow keys. The line is where that moment is, and each
// caption tells the amount; without a moment it tells the peak, as the page came.
const plots = [...document.querySelectorAll(".plot")].map((plot) => {
  const output = plot.parentElement.querySelector("output");
  return { plot, output, peak: output.textContent, line: plot.querySelector(".cursor"), steps: steps[plot.dataset.kind] };
});
let at = null;

function show(step) {
  at = step;
  for (const { output, peak, line, steps } of plots) {
    line.style.display = step === null ? "none" : "block";
    output.textContent = peak;
    if (step === null) continue;
    line.style.left = (100 * (step + 0.5)) / steps.length + "%";
    output.textContent = `${bytes(steps[step])} at ${time(step * width)}`;
  }
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let unit = 0;
  for (; number >= 1024 && unit < 5; unit++) number /= 1024;
  return (unit ? number.toFixed(1) : number) + " " + units[unit];
}

function time(ns) {
  const [unit, name] = [[1e9, "s"], [1e6, "ms"], [1e3, "us"]].find(([unit]) => ns >= unit) ?? [1, "ns"];
  return (unit > 1 ? (ns / unit).toFixed(2) : ns) + " " + name;
}

for (const { plot, steps } of plots) {
  const last = steps.length - 1;
  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    show(Math.max(0, Math.min(last, Math.floor(((event.clientX - box.left) / box.width) * steps.length))));
  });
  plot.addEventListener("pointerleave", () => show(null));
  plot.addEventListener("blur", () => show(null));
  plot.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -50, PageDown: 50, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    show(Math.max(0, Math.min(last, (at ?? 0) + move)));
  });
}
