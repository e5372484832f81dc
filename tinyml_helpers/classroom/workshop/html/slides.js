"use strict";
const slides = [...document.querySelectorAll(".slide")];
const root = document.documentElement;
let now = 0, speaker = null;
const started = Date.now();
root.classList.add("js");

// Letters and pictures shrink together until everything fits; long code goes beside its picture.
function shrink(slide, side) {
  const inner = slide.querySelector(".inner");
  slide.classList.toggle("side", side);
  let k = 1.04;
  do {
    k -= 0.04;
    slide.style.setProperty("--k", k.toFixed(2));
  } while (k > 0.4 && (inner.offsetHeight > slide.clientHeight || inner.scrollWidth > inner.clientWidth));
  return k;
}
function fit(slide) {
  const below = shrink(slide, false);
  if (below < 0.9 && slide.querySelector(".code_cell .output_area") && shrink(slide, true) < below + 0.1) shrink(slide, false);
}
const fitAll = () => slides.forEach(fit);

function hidden(slide) { return [...slide.querySelectorAll(".fragment:not(.seen)")]; }
function show(index, whole) {
  now = Math.max(0, Math.min(slides.length - 1, index));
  slides.forEach((slide, i) => slide.classList.toggle("now", i === now));
  if (whole) hidden(slides[now]).forEach((part) => part.classList.add("seen"));
  document.getElementById("place").textContent = `${now + 1} / ${slides.length}`;
  history.replaceState(null, "", `#${now + 1}`);
  tell();
}
function on() {
  const rest = hidden(slides[now]);
  if (rest.length) rest[0].classList.add("seen");
  else if (now < slides.length - 1) show(now + 1);
}
function back() {
  const seen = [...slides[now].querySelectorAll(".fragment.seen")];
  if (seen.length) seen[seen.length - 1].classList.remove("seen");
  else if (now > 0) show(now - 1, true);
}

// The speaker's window is written from here, so that it also works from a file.
const style = "body{font:20px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1b1b1b}h1{font-size:1.3rem;margin:0 0 .3rem}"
  + "#time{font-variant-numeric:tabular-nums;color:#555;margin:0 0 1rem}#next{border-top:1px solid #ccc;color:#555;margin-top:1.5rem;padding-top:.5rem}";
function openSpeaker() {
  if (speaker && !speaker.closed) { speaker.focus(); return; }
  speaker = window.open("", "tinyml-speaker", "width=820,height=640");
  if (!speaker) { root.classList.add("show-notes"); return; }
  speaker.document.head.innerHTML = `<title>Notes</title><style>${style}</style>`;
  speaker.document.body.innerHTML = '<h1 id="title"></h1><p id="time"></p><div id="notes"></div><p id="next"></p>';
  speaker.addEventListener("keydown", keys);
  tell();
}
function tell() {
  if (!speaker || speaker.closed) return;
  const page = (id) => speaker.document.getElementById(id), slide = slides[now];
  page("title").textContent = `${now + 1} / ${slides.length} · ${slide.dataset.title}`;
  page("notes").innerHTML = slide.querySelector(".notes").innerHTML;
  page("next").textContent = now + 1 < slides.length ? `Next: ${slides[now + 1].dataset.title}` : "Last slide";
  tick();
}
function tick() {
  if (!speaker || speaker.closed) return;
  const seconds = Math.floor((Date.now() - started) / 1000), pad = (n) => String(n).padStart(2, "0");
  const plan = slides[now].dataset.clock;
  speaker.document.getElementById("time").textContent =
    `${Math.floor(seconds / 3600)}:${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)} since the start` + (plan ? ` · planned ${plan}` : "");
}
setInterval(tick, 1000);

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const onButton = event.target.tagName === "BUTTON" && (event.key === " " || event.key === "Enter");
  if (onButton) return;
  const act = { ArrowRight: on, ArrowDown: on, PageDown: on, " ": on, ArrowLeft: back, ArrowUp: back, PageUp: back,
    Home: () => show(0), End: () => show(slides.length - 1, true), s: openSpeaker, p: () => print(),
    n: () => root.classList.toggle("show-notes"),
    f: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
    h: () => { const help = document.getElementById("help"); help.hidden = !help.hidden; } }[event.key];
  if (act) { event.preventDefault(); act(); }
}
addEventListener("keydown", keys);
document.getElementById("on").addEventListener("click", on);
document.getElementById("back").addEventListener("click", back);
addEventListener("resize", fitAll);
addEventListener("hashchange", () => show((parseInt(location.hash.slice(1), 10) || 1) - 1));
addEventListener("load", () => { fitAll(); show((parseInt(location.hash.slice(1), 10) || 1) - 1, true); });
