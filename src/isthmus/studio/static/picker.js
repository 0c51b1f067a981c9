// A folder or file of this machine, chosen below the folder that the studio was started with.

import { askJson, inBytes, make } from "./studio.js";

/** Resolves to a path below --data, or to null. kind: "packs", "models", or "" for folders alone. */
export function pick(kind, title) {
  const list = make("ul", { className: "list" }), here = make("p", { className: "quiet" });
  const take = make("button", { className: "main", textContent: "Take this folder", hidden: kind !== "" });
  const dialog = make("dialog", {}, make("h2", { textContent: title }), here, list, make("div", { className: "row" }, take, make("button", { textContent: "Cancel", value: "no" })));
  dialog.setAttribute("aria-label", title);
  document.body.append(dialog);
  let path = "";

  async function open(next) {
    const { entries } = await askJson(`/folders?${new URLSearchParams({ kind, path: next })}`);
    path = next;
    here.textContent = `below --data: /${path}`;
    const rows = entries.map((entry) => {
      const button = make("button", { textContent: entry.is_folder ? `${entry.name}/` : `${entry.name} (${inBytes(entry.bytes)})` });
      button.addEventListener("click", () => (entry.is_folder ? open(entry.path).catch(() => {}) : end(entry.path)));
      return make("li", {}, button);
    });
    if (path) {
      const up = make("button", { textContent: "‥ one up" });
      up.addEventListener("click", () => open(path.split("/").slice(0, -1).join("/")));
      rows.unshift(make("li", {}, up));
    }
    list.replaceChildren(...rows);
    (list.querySelector("button") ?? take).focus();
  }

  let end;
  return new Promise((done) => {
    end = (value) => { dialog.remove(); done(value); };
    take.addEventListener("click", () => end(path));
    dialog.querySelector("[value=no]").addEventListener("click", () => end(null));
    dialog.addEventListener("cancel", () => end(null));
    dialog.showModal();
    open("").catch(() => end(null));
  });
}
