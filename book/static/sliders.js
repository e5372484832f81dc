/* Figures that move, without a kernel: each position was drawn before, and all lie in one picture. */
const staticFolder = new URL(".", document.currentScript.src);

function element(kind, className, parent) {
  const made = document.createElement(kind);
  made.className = className;
  parent.append(made);
  return made;
}

function control(one, parent, moved) {
  const label = element("label", "", parent);
  element("span", "", label).textContent = one.name;
  const input = element(one.menu ? "select" : "input", "", label);
  if (one.menu) one.values.forEach((value) => input.add(new Option(value)));
  else Object.assign(input, { type: "range", min: 0, max: one.values.length - 1, step: 1 });
  const readout = one.menu ? null : element("output", "", label);
  const show = () => {
    if (!readout) return;
    readout.textContent = one.values[input.value];
    input.setAttribute("aria-valuetext", one.values[input.value]);
  };
  if (one.menu) input.selectedIndex = one.start;
  else input.value = one.start;
  show();
  input.addEventListener("input", () => { show(); moved(); });
  return () => (one.menu ? input.selectedIndex : Number(input.value));
}

function build(place) {
  const { name, controls, width, height, columns, texts } = JSON.parse(place.dataset.slider);
  const row = element("div", "controls", place);
  const positions = controls.map((one) => control(one, row, draw));
  const sheet = element("div", "frame", place);
  sheet.setAttribute("role", "img");
  sheet.style.aspectRatio = `${width} / ${height}`;
  sheet.style.width = `${width}px`;
  const picture = element("img", "", sheet);
  Object.assign(picture, { alt: "", loading: "lazy", src: new URL(`sliders/${name}.webp`, staticFolder) });
  picture.style.width = `${100 * columns}%`;
  const rows = Math.ceil(texts.length / columns);
  const said = element("p", "visually-hidden", place);
  said.setAttribute("aria-live", "polite");
  function draw() {
    const number = positions.reduce((sum, at, i) => sum * controls[i].values.length + at(), 0);
    const [across, down] = [number % columns, Math.floor(number / columns)];
    picture.style.transform = `translate(${-100 * across / columns}%, ${-100 * down / rows}%)`;
    sheet.setAttribute("aria-label", texts[number]);
    said.textContent = texts[number].split(";")[0];
  }
  draw();
  said.textContent = ""; // only what moves is said
  place.dataset.ready = "";
  /* The still that the lesson stored: it stays for printing, and where the picture cannot be had. */
  const still = place.nextElementSibling?.querySelector(".cell_output .output:has(img), .cell_output img");
  still?.classList.add("moved");
  picture.addEventListener("error", () => {
    delete place.dataset.ready;
    still?.classList.remove("moved");
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.slider").forEach(build);
});
