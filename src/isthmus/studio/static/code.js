// Touch the code: a drawing becomes numbers, numbers become a picture, all while the hand moves.

import { ask, askJson, find, inBytes, make, newest, paint, warn } from "./studio.js";
import { Bars, Sliders } from "./sliders.js";
import { CodeMap } from "./code-map.js";
import { Drawing } from "./drawing.js";

const STEPS = 9;
const field = (name) => find(`#${name}`);
let model = null, code = [], drawn = null, seed = 1, ends = { from: null, to: null };

const quality = () => field("quality").value;
const address = (what) => `/code/${field("model").value}/${what}`;

// ---- from pixels to the code

const encode = newest(async (pixels) => {
  const kind = field("noise").value;
  const query = new URLSearchParams({ quality: quality(), noise: kind, amount: field("amount").value, seed });
  const answer = await askJson(`${address("encode")}?${query}`, { body: pixels });
  drawn = answer.code;
  if (kind !== "none") paint(field("drawing"), answer.input, model.width, model.height, model.channels);
  take(answer);
});

// ---- from the code to pixels

const decode = newest(async (message) => take(await askJson(address("decode"), { body: { ...message, quality: quality() } })));

function take(answer) {
  code = answer.code;
  paint(field("decoded"), answer.pixels, model.width, model.height, model.channels);
  field("bytes").textContent = inBytes(answer.bytes);
  sliders.show(code);
  bars.show(code, sliders.ranges);
  document.body.dataset.shown = String(performance.now());  // what benchmarks read
}

const bars = new Bars(field("bars"));
const sliders = new Sliders(field("sliders"), { range: field("range"), pages: field("pages"), onChange: (changed) => decode({ code: changed }) });
const drawing = new Drawing(field("drawing"), (pixels) => encode(pixels));
const map = new CodeMap(field("map"), (x, y) => decode({ x, y, map: field("map-kind").value, source: field("source").value }));

// ---- the model and its samples

async function choose() {
  model = await askJson(address("describe").replace("/describe", ""));
  Object.assign(field("quality"), { value: model.quality });
  field("quality-value").textContent = model.quality;
  field("bytes-note").textContent = `of a whole .isth file; ${(model.width * model.height * model.channels).toLocaleString("en")} bytes of pixels, ${model.numbers} numbers`;
  field("noise").value = model.noise.kind;
  field("amount").value = model.noise.amount;
  listSources();
  drawing.begin(model);
  sliders.begin(model.numbers);
  ends = { from: null, to: null };
  field("strip").replaceChildren(...Array.from({ length: STEPS }, () => make("canvas", { className: "pixels" })));
  noiseChanged();
  await loadSamples();
  await openSample(0);
  await setEnd("from");
  await openSample(1);
  await setEnd("to");
}

function listSources() {
  const isDigit = model.width === 28 && model.height === 28 && model.channels === 1;
  const offered = isDigit ? [["glyphs", "drawn digits"]] : [];
  if (isDigit && model.source === "mnist") offered.push(["mnist", "MNIST (fetched once)"]);
  field("source").replaceChildren(...offered.map(([value, text]) => make("option", { value, textContent: text })));
  for (const { path, name } of folders) field("source").append(make("option", { value: path, textContent: `folder ${name}` }));
  field("source").append(make("option", { value: "", textContent: "none" }));
}

let count = 0;
async function loadSamples() {
  const source = field("source").value, kind = field("map-kind").value;
  count = 0;
  map.clear();
  if (!source) return;
  try {
    const query = new URLSearchParams({ source, map: kind });
    field("map-note").textContent = kind === "umap" ? "UMAP takes a while …" : "Reading samples …";
    const found = await askJson(`${address("samples")}?${query}`);
    const sprite = await createImageBitmap(await (await ask(`${address("sprite")}?${query}`)).blob());
    count = found.points.length;
    sliders.setRanges(found.low, found.high);
    map.show(found, sprite, model, field("as-pictures").checked);
    field("map-note").textContent = `${count} samples, each at the place of its code. Drag over it: the decoder follows.`;
  } catch { field("map-note").textContent = "No map of these pictures."; }
}

async function openSample(index) {
  if (!count) return drawing.clear();
  const query = new URLSearchParams({ source: field("source").value, index: index % count });
  const { pixels } = await askJson(`${address("sample")}?${query}`);
  drawing.put(pixels);
  await encode(drawing.pixels());
}

async function openFile(file) {
  const { pixels } = await askJson(address("fit"), { body: file });
  drawing.put(pixels);
  encode(drawing.pixels());
}

// ---- the walk

async function setEnd(name) {
  ends[name] = [...code];
  const shown = field(name), from = field("decoded");
  Object.assign(shown, { width: from.width, height: from.height });
  shown.getContext("2d").drawImage(from, 0, 0);
  if (!ends.from || !ends.to) return;
  const strip = [...field("strip").children];
  for (const [step, canvas] of strip.entries()) {
    const answer = await askJson(address("decode"), { body: { code: between(step / (STEPS - 1)), quality: quality() }, quiet: true }).catch(() => null);
    if (answer) paint(canvas, answer.pixels, model.width, model.height, model.channels);
  }
}

const between = (share) => ends.from.map((value, index) => (1 - share) * value + share * ends.to[index]);

// ---- controls

function noiseChanged() {
  field("amount-box").hidden = field("noise").value === "none";
  field("amount-value").textContent = Number(field("amount").value).toFixed(2);
}

function again() {
  noiseChanged();
  seed += 1;
  drawing.redraw();
  encode(drawing.pixels());
}

field("model").addEventListener("change", () => choose().catch(() => {}));
field("source").addEventListener("change", loadSamples);
field("map-kind").addEventListener("change", loadSamples);
field("as-pictures").addEventListener("change", () => map.asPictures(field("as-pictures").checked));
field("quality").addEventListener("input", () => { field("quality-value").textContent = quality(); decode({ code }); });
field("clear").addEventListener("click", () => { drawing.clear(); encode(drawing.pixels()); });
field("sample").addEventListener("click", () => openSample(Math.floor(Math.random() * Math.max(1, count))));
field("file").addEventListener("change", () => { const [file] = field("file").files; if (file) openFile(file).catch(() => {}); field("file").value = ""; });
field("noise").addEventListener("change", again);
field("amount").addEventListener("input", again);
field("zero").addEventListener("click", () => decode({ code: sliders.middle() }));
field("back").addEventListener("click", () => { if (drawn) decode({ code: drawn }); });
field("set-from").addEventListener("click", () => setEnd("from"));
field("set-to").addEventListener("click", () => setEnd("to"));
field("way").addEventListener("input", () => { if (ends.from && ends.to) decode({ code: between(Number(field("way").value)) }); });
field("earlier").addEventListener("click", () => sliders.turn(-1, code));
field("later").addEventListener("click", () => sliders.turn(1, code));

let folders = [];
if (field("top").dataset.models === "true") {
  folders = (await askJson("/folders", { quiet: true }).catch(() => ({ entries: [] }))).entries.filter((entry) => entry.is_folder);
  await choose().catch((error) => warn(error.message));
} else {
  for (const card of document.querySelectorAll("main > *")) card.hidden = card.id !== "none" && card.tagName !== "H1";
}
