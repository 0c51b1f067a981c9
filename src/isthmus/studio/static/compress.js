// The compress page: pictures in a tray, two codecs under one split, numbers, downloads.

import { ask, askJson, find, inBytes, inSeconds, listen, make, newest, say, takeFiles, warn } from "./studio.js";
import { Viewer } from "./viewer.js";

const REST = 250;  // ms after which a slider counts as at rest: scores and the other codec wait for it
const LARGE = 4e6; // pixels from which a new question ends the last one instead of waiting for it
const field = (name) => find(`#${name}`);
const tray = [];
const sides = { isthmus: {}, rival: {} };  // of the picture shown: result, canvas, facts, what closes its stream
let current = null, original = null, resting = 0, holdsOriginal = false;

const viewer = new Viewer(field("view"), {
  onSplit: (share) => { field("split").value = share; },
  onZoom: (zoom) => { field("zoom").textContent = `${Math.round(zoom * 100)} %`; },
});

// ---- the tray

async function add(files) {
  let count = 0;
  for (const file of files) {
    say(`Reading ${++count} of ${files.length}`);
    try {
      const sent = await askJson(`/compress/pictures?name=${encodeURIComponent(file.name)}`, { body: file });
      tray.push(sent);
      listTray();
      if (!current) choose(sent);
    } catch { /* said already; the others go on */ }
  }
  say(`${tray.length} pictures`);
}

function listTray() {
  field("tray").replaceChildren(...tray.map((sent) => {
    const about = sent.outcome ?? `${sent.width}×${sent.height}, ${inBytes(sent.bytes)}`;
    const pick = make("button", { className: "pick" },
      make("img", { src: `/compress/pictures/${sent.id}/thumbnail`, alt: "", loading: "lazy" }),
      make("span", {}, make("span", { className: "name", textContent: sent.name }), make("small", { textContent: about })));
    pick.setAttribute("aria-pressed", String(sent === current));
    pick.addEventListener("click", () => choose(sent));
    const drop = make("button", { className: "bare", textContent: "✕", title: "Remove" });
    drop.setAttribute("aria-label", `Remove ${sent.name}`);
    drop.addEventListener("click", () => remove(sent));
    return make("li", {}, pick, drop);
  }));
  field("get-all").disabled = tray.length === 0;
}

async function remove(sent) {
  await ask(`/compress/pictures/${sent.id}`, { method: "DELETE" }).catch(() => {});
  tray.splice(tray.indexOf(sent), 1);
  if (sent === current) choose(tray[0] ?? null);
  listTray();
}

async function choose(sent) {
  current = sent;
  original = null;
  for (const side of Object.values(sides)) { side.close?.(); }
  sides.isthmus = {};
  sides.rival = {};
  listTray();
  show();
  if (!sent) return;
  const shown = await picture(`/compress/pictures/${sent.id}/original`);
  if (current !== sent) return;
  original = shown;
  show();
  refresh();
}

async function picture(address) {
  return createImageBitmap(await (await ask(address)).blob());
}

// ---- coding

function wish() {
  const kind = field("wish").value;
  return { wish: kind, value: kind === "quality" ? field("quality").value : field("target").value };
}

/** Code a side; resolves when it is decoded, has failed, or is closed because another question overtakes it. */
function code(side, codec, asked) {
  side.close?.();
  const sent = current, { row, column } = viewer.focus;
  const query = new URLSearchParams({ picture: sent.id, codec, ...asked, row, column });
  field("progress").removeAttribute("value");
  field("progress").classList.remove("idle");
  return new Promise((done) => {
    const end = () => { field("progress").classList.add("idle"); done(); };
    const stop = listen(`/compress/events?${query}`, {
      progress: ({ share }) => { field("progress").value = share; },
      coded: (facts) => { Object.assign(side, { facts, result: facts.result, scores: null, errorMap: null }); side.isNew = true; show(); },
      piece: async (place) => { await takePiece(side, sent, place); },
      decoded: (facts) => { side.facts.decode_seconds = facts.decode_seconds; show(); end(); },
      failed: ({ error }) => { warn(error); end(); },
      end: () => end(),
      lost: end,
    });
    side.close = () => { stop(); end(); };
  });
}

async function takePiece(side, sent, { result, x, y, width, height }) {
  const query = new URLSearchParams({ x, y, width, height });
  try {
    const part = await picture(`/compress/results/${result}/pixels?${query}`);
    if (current !== sent || !original) return;
    if (!side.canvas || side.canvas.width !== original.width) {
      side.canvas = make("canvas", { width: original.width, height: original.height });
      side.canvas.getContext("2d").drawImage(original, 0, 0);
    }
    side.canvas.getContext("2d").drawImage(part, x, y);
    if (field("error").checked) await takeError(side);
    show();
    document.body.dataset.shown = String(performance.now());  // what benchmarks read
  } catch { /* overtaken by a newer one */ }
}

async function takeError(side) {
  if (side.result && !side.errorMap) side.errorMap = await picture(`/compress/results/${side.result}/pixels?as=error`);
}

const offer = newest(async () => {
  if (!current || !original) return;
  await code(sides.isthmus, `isthmus:${field("model").value}`, wish());
  restSoon();
});

function refresh() {
  if (!current || !original) return;
  if (current.width * current.height > LARGE || !current.is_photograph) sides.isthmus.close?.();
  clearTimeout(resting);
  offer();
}

function restSoon() {
  clearTimeout(resting);
  resting = setTimeout(async () => {
    const sent = current;
    await score(sides.isthmus);
    if (sent === current) { await compare(); }
  }, REST);
}

async function score(side) {
  if (!side.result || side.scores) return;
  const result = side.result;
  const scores = await askJson(`/compress/results/${result}/score`, { quiet: true }).catch(() => null);
  if (side.result === result) { side.scores = scores; show(); }
}

async function compare() {
  const rival = field("rival").value, first = sides.isthmus;
  if (!rival || !first.facts) {
    sides.rival.close?.();
    sides.rival = {};
    show();
    return;
  }
  const byScore = field("match").value === "ssimulacra2" && first.scores?.ssimulacra2 != null;
  const asked = byScore ? { wish: "ssimulacra2", value: first.scores.ssimulacra2 } : { wish: "bytes", value: first.facts.bytes };
  const key = [current.id, rival, asked.wish, asked.value].join();
  if (sides.rival.key === key) return;
  sides.rival.key = key;
  await code(sides.rival, rival, asked);
  await score(sides.rival);
}

// ---- what is seen

function show() {
  const { isthmus, rival } = sides, wantsError = field("error").checked;
  const layer = (side) => (wantsError && side.errorMap) || side.canvas;
  viewer.show(original && ((!holdsOriginal && layer(rival)) || original), layer(isthmus));
  field("nothing").hidden = Boolean(current);
  const tags = [[field("left-tag"), rival.facts], [field("right-tag"), isthmus.facts]];
  for (const [tag, facts] of tags) {
    tag.hidden = !original;
    tag.textContent = facts && !(holdsOriginal && facts === rival.facts) ? `${facts.label} · ${inBytes(facts.bytes)}` : tag.id === "left-tag" ? "original" : "coding …";
  }
  const rows = [isthmus, rival].filter((side) => side.facts).map(numbersOf);
  if (current) rows.push(rowOf([current.name, inBytes(current.bytes), "", (8 * current.bytes / current.width / current.height).toFixed(3), "", "", "", "", ""]));
  field("numbers").replaceChildren(...rows);
  field("notes").textContent = current ? notesOf().join(" · ") : "";
  for (const [id, form] of [["get-file", "file"], ["get-png", "png"]]) {
    const link = field(id), has = Boolean(isthmus.result);
    link.setAttribute("aria-disabled", String(!has));
    if (has) link.href = `/compress/results/${isthmus.result}/${form}`; else link.removeAttribute("href");
  }
}

function numbersOf({ facts, scores }) {
  const number = (value, digits, unit = "") => (value == null ? "…" : `${value.toFixed(digits)}${unit}`);
  const psnr = scores && scores.psnr == null ? "exact" : number(scores?.psnr, 2, " dB");
  const eyes = scores && scores.ssimulacra2 == null ? "too small" : number(scores?.ssimulacra2, 1);
  return rowOf([facts.label, facts.bytes.toLocaleString("en"), `${(100 * facts.share).toFixed(1)} %`, facts.bits_per_pixel.toFixed(3), eyes, psnr,
    facts.coding === "webp" ? "exact" : String(facts.quality), inSeconds(facts.encode_seconds), facts.decode_seconds == null ? "…" : inSeconds(facts.decode_seconds)]);
}

function rowOf([first, ...rest]) {
  const head = make("th", { textContent: first });
  head.scope = "row";
  return make("tr", {}, head, ...rest.map((text) => make("td", { textContent: text })));
}

function notesOf() {
  const notes = [`${current.width}×${current.height} pixels`, ...current.notes];
  if (current.has_alpha) notes.push("compared over white; the saved file keeps the transparency");
  const extra = sides.isthmus.facts?.extra_bytes, suited = { webp: "lossless WebP", avif: "AVIF" }[sides.isthmus.facts?.coding];
  if (suited) notes.push(`coded as ${suited}, which suits this picture better than the model`);
  if (extra) notes.push(`colour profile and EXIF add ${inBytes(extra)} to the saved file`);
  return notes;
}

// ---- controls

function askFor() {
  const kind = field("wish").value, names = { bytes: "Bytes, at most", ssimulacra2: "Score (70 is high quality, 90 looks the same)", psnr: "dB" };
  const usual = { bytes: sides.isthmus.facts?.bytes ?? 100000, ssimulacra2: 70, psnr: 38 };
  field("quality-field").hidden = kind !== "quality";
  field("target-field").hidden = kind === "quality";
  if (kind !== "quality") { field("target-name").textContent = names[kind]; field("target").value = usual[kind]; }
  refresh();
}

field("quality").addEventListener("input", () => { field("quality-value").textContent = field("quality").value; refresh(); });
field("target").addEventListener("change", refresh);
field("wish").addEventListener("change", askFor);
field("model").addEventListener("change", refresh);
for (const name of ["rival", "match"]) field(name).addEventListener("change", restSoon);
field("error").addEventListener("change", async () => { await Promise.all([sides.isthmus, sides.rival].map((side) => takeError(side).catch(() => {}))); show(); });
field("split").addEventListener("input", () => viewer.setSplit(Number(field("split").value)));
for (const name of ["keydown", "keyup"]) {
  field("view").addEventListener(name, (event) => { if (event.key === "o" && !event.repeat) { holdsOriginal = name === "keydown"; show(); } });
}
field("fit").addEventListener("click", () => viewer.fit());
field("whole").addEventListener("click", () => viewer.zoomTo(1));
field("larger").addEventListener("click", () => viewer.zoomTo(viewer.zoom * 1.25));
field("smaller").addEventListener("click", () => viewer.zoomTo(viewer.zoom / 1.25));

let closeZip = null;
field("get-all").addEventListener("click", () => {
  const button = field("get-all"), state = field("zip-state");
  const end = () => { closeZip = null; button.textContent = "All as zip"; };
  if (closeZip) { closeZip(); end(); state.textContent = "Stopped."; return; }
  button.textContent = "Stop";
  closeZip = listen(`/compress/zip?${new URLSearchParams({ model: field("model").value, ...wish() })}`, {
    picture: ({ picture: id, done, of, bytes, error }) => {
      const sent = tray.find((one) => one.id === id);
      if (sent) { sent.outcome = error ?? `${inBytes(sent.bytes)} → ${inBytes(bytes)}`; listTray(); }
      state.textContent = `${done} of ${of}`;
    },
    ready: ({ zip, bytes }) => { state.textContent = `Ready: ${inBytes(bytes)}.`; make("a", { href: `/compress/zips/${zip}`, download: "isthmus.zip" }).click(); end(); },
    failed: ({ error }) => { warn(error); end(); },
    lost: end,
  });
});

takeFiles(field("files"), add);
addEventListener("paste", (event) => { if (event.clipboardData?.files.length) add([...event.clipboardData.files]); });
tray.push(...(await askJson("/compress/pictures")).pictures);
listTray();
if (tray.length) choose(tray[0]);
