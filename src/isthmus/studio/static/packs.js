// The packs page: open, scroll, search, look at one, take some.

import { ask, askJson, find, inBytes, make, save, say, takeFiles } from "./studio.js";
import { Gallery } from "./gallery.js";
import { newest } from "./studio.js";
import { pick } from "./picker.js";

const field = (name) => find(`#${name}`);
const gallery = new Gallery({ box: field("gallery"), canvas: field("view"), height: field("height") }, (index) => look(index));

async function open(address, body) {
  field("about").textContent = "Opening …";
  try {
    const pack = await askJson(address, { method: "POST", body });
    field("about").textContent = `${pack.pictures.toLocaleString("en")} pictures${pack.size ? ` of ${pack.size.join("×")}` : ""}, quality ${pack.quality}, model ${pack.model} (${pack.model_id})`;
    field("search").hidden = false;
    field("nothing").hidden = true;
    field("shot").hidden = false;
    field("found").replaceChildren();
    gallery.open(pack);
    gallery.choose(0);
    selected();
  } catch { field("about").textContent = "Nothing was opened."; }
}

const look = newest(async (index) => {
  const { pack } = gallery, facts = await askJson(`/packs/${pack.key}/pictures/${index}/facts`);
  if (gallery.chosen !== index) return;
  field("large").src = `/packs/${pack.key}/pictures/${index}`;
  field("large").alt = facts.name;
  const rows = [["name", facts.name], ["place", `${(index + 1).toLocaleString("en")} of ${pack.pictures.toLocaleString("en")}`], ["size", `${facts.width}×${facts.height}`], ["bytes", `${facts.bytes} (${facts.bits_per_pixel.toFixed(3)} bits a pixel)`]];
  if (facts.label !== null) rows.push(["label", facts.label]);
  field("facts").replaceChildren(...rows.flatMap(([term, text]) => [make("dt", { textContent: term }), make("dd", { textContent: text })]));
  selected();
  say(`${facts.name}, ${facts.bytes} bytes`);
});

function selected() {
  const count = gallery.picked.size;
  field("pick").checked = gallery.picked.has(gallery.chosen);
  field("picked").textContent = count ? `${count.toLocaleString("en")} selected` : "Nothing selected: this one is saved";
  field("none").hidden = count === 0;
  for (const id of ["get-png", "get-isth"]) field(id).disabled = gallery.chosen < 0;
}

async function get(form) {
  const indices = gallery.picked.size ? [...gallery.picked].sort((one, other) => one - other) : [gallery.chosen];
  const answer = await ask(`/packs/${gallery.pack.key}/download`, { body: { indices, form } }).catch(() => null);
  if (answer) save(await answer.blob(), "pictures.zip");
}

const search = newest(async (name) => {
  if (!name || !gallery.pack) { field("found").replaceChildren(); return; }
  const { found } = await askJson(`/packs/${gallery.pack.key}/find?${new URLSearchParams({ name })}`);
  field("found").replaceChildren(...(found.length ? found.map(({ index, name: each }) => {
    const button = make("button", { textContent: each });
    button.addEventListener("click", () => gallery.choose(index));
    return make("li", {}, button);
  }) : [make("li", { className: "quiet", textContent: "No name contains this." })]));
  say(`${found.length} found`);
});

field("name").addEventListener("input", () => search(field("name").value.trim()));
field("search").addEventListener("submit", (event) => event.preventDefault());
field("pick").addEventListener("change", () => { gallery.toggle(gallery.chosen); selected(); });
field("none").addEventListener("click", () => { gallery.picked.clear(); gallery.draw(); selected(); });
field("get-png").addEventListener("click", () => get("png"));
field("get-isth").addEventListener("click", () => get("isth"));
field("machine").hidden = field("machine").dataset.folders !== "true";
field("folder").addEventListener("click", async () => {
  const path = await pick("packs", "A pack of this machine");
  if (path) open(`/packs?${new URLSearchParams({ path })}`);
});
takeFiles(field("file"), ([file]) => open("/packs", file));
