// The models page: what is there, add, remove, what a file needs.

import { ask, askJson, find, inBytes, make, say, takeFiles } from "./studio.js";

const field = (name) => find(`#${name}`);
const LABELS = { kind: "kind", takes: "takes", bytes: "size", latent_channels: "latent channels", default_quality: "quality", recipe: "recipe", data: "learnt from", licence: "licence", model_id: "id" };

async function list() {
  const { models } = await askJson("/models/installed");
  field("models").replaceChildren(...models.map(card));
}

function card(model) {
  const rows = model.error ? [["cannot be read", model.error]] : Object.entries(LABELS).filter(([key]) => model[key] != null).map(([key, label]) => [label, key === "bytes" ? inBytes(model.bytes) : model[key]]);
  for (const [name, value] of Object.entries(model.metrics ?? {})) rows.push([name.replaceAll("_", " "), figure(name, value)]);
  const list = make("dl", { className: "facts" }, ...rows.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]));
  const head = make("div", { className: "row apart" }, make("h2", { textContent: model.file }), make("span", { className: "state", textContent: model.place }));
  const article = make("article", { className: "card" }, head, list);
  if (model.place === "installed") {
    const button = make("button", { textContent: "Remove" });
    button.setAttribute("aria-label", `Remove ${model.file}`);
    button.addEventListener("click", () => askBefore(button, model.file));
    article.append(make("p", { className: "row" }, button));
  }
  return article;
}

function figure(name, value) {
  if (typeof value !== "number") return value;
  return name.includes("bd_rate") ? `${(100 * value).toFixed(1)} %` : Number(value.toPrecision(4));
}

/** The second press removes: a file of the user's is gone then. */
function askBefore(button, name) {
  if (button.dataset.asked) { remove(name); return; }
  button.dataset.asked = "yes";
  button.textContent = `Remove ${name} from this machine?`;
  setTimeout(() => { delete button.dataset.asked; button.textContent = "Remove"; }, 5000);
}

async function remove(name) {
  await ask(`/models/installed/${encodeURIComponent(name)}`, { method: "DELETE" }).catch(() => {});
  say(`${name} is removed`);
  await list();
}

async function take(files) {
  for (const file of files) {
    if (file.name.toLowerCase().endsWith(".isthmus")) {
      const added = await askJson(`/models/installed?name=${encodeURIComponent(file.name)}`, { body: file }).catch(() => null);
      if (added) say(`${added.file} is added`);
      await list();
    } else {
      const need = await askJson("/models/need", { body: file }).catch(() => null);
      if (need) field("answer").textContent = `${file.name} needs the model ${need.model_id}${need.is_there ? `: it is here, ${need.name}.` : ", which is not installed."}`;
    }
  }
}

takeFiles(field("file"), take);
field("asked").addEventListener("change", () => { take([...field("asked").files]); field("asked").value = ""; });
await list();
