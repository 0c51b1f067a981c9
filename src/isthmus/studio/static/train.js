// The train page: a form, runs that are watched live, their curves in one plot, ten pictures after every epoch.

import { ask, askJson, find, listen, make, say, warn } from "./studio.js";
import { COLOURS, plot } from "./chart.js";
import { pick } from "./picker.js";

const field = (name) => find(`#${name}`);
const runs = new Map();   // name -> what the studio says of it
const chosen = new Map(); // name -> colour, of the runs in the plot
let shown = null, follows = true, recipes = [], close = null;

// ---- the form

function recipe() { return recipes.find((one) => one.name === field("recipe").value); }

function showRecipe() {
  const { summary, epochs, data, values } = recipe();
  field("summary").textContent = summary.replaceAll("`", "");
  field("epochs").placeholder = epochs;
  field("data").options[0].textContent = `what the recipe names: ${data === "glyphs" ? "drawn digits" : data}`;
  for (const [key, value] of Object.entries(values)) find(`[name="${key}"]`).placeholder = value || "none";
}

async function start() {
  const settings = Object.keys(recipe().values).map((key) => [key, find(`[name="${key}"]`).value.trim()]).filter(([, value]) => value).map(([key, value]) => `${key}=${value}`);
  settings.push(...field("more").value.split("\n").map((line) => line.trim()).filter(Boolean));
  const values = field("vary-values").value.replaceAll(" ", "");
  const body = { recipe: recipe().name, data: field("data").value, epochs: Number(field("epochs").value) || 0, settings, vary: values ? `${field("vary-key").value.trim()}=${values}` : "" };
  const { name } = await askJson("/train/start", { body });
  say(`${name} has started`);
  follow(name);
  await list();
}

// ---- the runs

async function list() {
  const found = (await askJson("/train/runs", { quiet: true })).runs;
  const known = new Set(found.map((run) => run.name));
  for (const name of [...runs.keys()]) if (!known.has(name)) runs.delete(name);
  for (const run of found) runs.set(run.name, { ...runs.get(run.name), ...run });
  if (!chosen.size) for (const run of found.filter((one) => !one.is_sweep).slice(0, 3)) choose(run.name);
  if (!shown && found.length) shown = found.find((run) => !run.is_sweep)?.name ?? null;
  watch();
  draw();
}

function choose(name) {
  const free = COLOURS.find((colour) => ![...chosen.values()].includes(colour)) ?? COLOURS[chosen.size % COLOURS.length];
  chosen.set(name, free);
}

function follow(name) { choose(name); shown = name; follows = true; }

let watched = "";
function watch() {
  const names = [...new Set([...chosen.keys(), shown, ...[...runs.values()].filter((run) => ["running", "waiting"].includes(run.state)).map((run) => run.name)])].filter((name) => name && runs.has(name));
  if (names.join() === watched) return;
  watched = names.join();
  close?.();
  if (!names.length) return;
  const query = new URLSearchParams(names.map((name) => ["run", name]));
  close = listen(`/train/events?${query}`, {
    run: (run) => {
      const before = runs.get(run.name)?.state;
      runs.set(run.name, run);
      if (before !== run.state) say(`${run.name} is ${run.state}`);
      draw();
    },
    lost: () => { watched = ""; setTimeout(() => list().catch(() => {}), 1500); },
  });
}

// ---- what is seen

function draw() {
  field("no-runs").hidden = runs.size > 0;
  drawRows();
  drawCurves();
  drawPictures();
}

function drawCurves() {
  const quantity = field("quantity").value;
  const curves = [...chosen].map(([name, colour]) => ({ name, colour, points: (runs.get(name)?.log ?? []).map((row, index) => [row.epoch ?? index + 1, row[quantity]]) }));
  plot(field("chart"), curves, { isLog: field("log-scale").checked, xName: "epoch", yName: "" });
}

function drawPictures() {
  const run = runs.get(shown), drawn = run?.drawn ?? 0, slider = field("epoch");
  slider.max = Math.max(1, drawn);
  if (follows) slider.value = slider.max;
  const epoch = Number(slider.value), image = field("pictures");
  field("no-pictures").hidden = drawn > 0;
  image.hidden = drawn === 0;
  slider.disabled = drawn < 2;
  field("epoch-of").textContent = drawn ? `${shown}, epoch ${epoch} of ${drawn}` : shown ?? "";
  if (!drawn) return;
  const address = `/train/picture?${new URLSearchParams({ run: shown, epoch })}`;
  if (image.getAttribute("src") !== address) {
    image.src = address;
    image.alt = `Ten test pictures of ${shown} in epoch ${epoch}: originals, codes, reconstructions`;
  }
}

function drawRows() {
  const rows = [...runs.values()].map((run) => {
    const row = field("runs").querySelector(`[data-run="${CSS.escape(run.name)}"]`) ?? newRow(run.name);
    row.update(run);
    return row;
  });
  if (rows.length !== field("runs").children.length || rows.some((row, index) => field("runs").children[index] !== row)) field("runs").replaceChildren(...rows);
}

/** A row that keeps its elements, so that nobody loses the focus when a number changes. */
function newRow(name) {
  const box = make("input", { type: "checkbox" }), swatch = make("span", { className: "swatch" });
  box.setAttribute("aria-label", `${name} in the plot`);
  const look = make("button", { className: "bare", textContent: name, title: "Show its pictures" });
  const state = make("span"), epochs = make("td"), error = make("td"), size = make("td");
  const stop = make("button", { textContent: "Stop" }), on = make("button", { textContent: "Go on" });
  const touch = make("a", { className: "button", textContent: "Touch the code", href: "/code" });
  const act = (work) => async () => { await work().catch(() => {}); await list().catch(() => {}); };
  box.addEventListener("change", () => { if (box.checked) choose(name); else chosen.delete(name); watch(); draw(); });
  look.addEventListener("click", () => { shown = name; follows = true; watch(); draw(); });
  stop.addEventListener("click", act(() => ask(`/train/stop?${new URLSearchParams({ run: name })}`, { method: "POST" })));
  on.addEventListener("click", act(async () => {
    const run = runs.get(name), epochs = run.state === "finished" ? run.epochs + Math.max(5, run.of || 5) : 0;
    await ask(`/train/go-on?${new URLSearchParams({ run: name, epochs })}`, { method: "POST" });
    follow(name);
  }));
  const head = make("th", {}, make("span", { className: "row" }, box, swatch, look));
  head.scope = "row";
  const row = make("tr", {}, head, make("td", {}, state), epochs, error, size, make("td", {}, make("span", { className: "row" }, stop, on, touch)));
  row.dataset.run = name;
  row.update = (run) => {
    box.checked = chosen.has(name);
    box.hidden = run.is_sweep;
    swatch.style.background = chosen.get(name) ?? "";
    look.style.fontWeight = name === shown ? "700" : "";
    state.textContent = run.is_sweep ? `sweep, ${run.state}` : run.state;
    state.className = `state ${run.state}`;
    state.title = run.message;
    epochs.textContent = run.is_sweep ? "" : run.of ? `${run.epochs} of ${run.of}` : String(run.epochs);
    const last = run.log?.at(-1)?.test_mse ?? run.metrics.test_mse;
    error.textContent = last === undefined ? "" : last.toPrecision(3);
    size.textContent = run.metrics.bytes_per_image === undefined ? "" : run.metrics.bytes_per_image.toFixed(1);
    stop.hidden = !["running", "waiting"].includes(run.state);
    on.hidden = !run.can_go_on || run.is_sweep && run.state === "finished";
    touch.hidden = run.state !== "finished" || run.is_sweep;
    if (run.state === "failed" && row.dataset.said !== run.message) { row.dataset.said = run.message; warn(`${name}: ${run.message}`); }
  };
  return row;
}

// ---- controls

field("form").addEventListener("submit", (event) => {
  event.preventDefault();
  field("start").disabled = true;
  start().catch(() => {}).finally(() => { field("start").disabled = field("form").dataset.can !== "true"; });
});
field("recipe").addEventListener("change", showRecipe);
field("epoch").addEventListener("input", () => { follows = field("epoch").value === field("epoch").max; drawPictures(); });
for (const name of ["quantity", "log-scale"]) field(name).addEventListener("change", drawCurves);
new ResizeObserver(drawCurves).observe(field("chart"));
field("folder").addEventListener("click", async () => {
  const path = await pick("", "A folder of pictures");
  if (!path) return;
  if (![...field("data").options].some((option) => option.value === path)) field("data").append(make("option", { value: path, textContent: path }));
  field("data").value = path;
});

const can = field("form").dataset.can === "true";
field("cannot").hidden = can;
field("start").disabled = !can;
field("folder").hidden = field("form").dataset.folders !== "true";
({ recipes } = await askJson("/train/recipes"));
showRecipe();
await list();
setInterval(() => { if (!document.hidden) list().catch(() => {}); }, 4000);
