// What all pages share: asking the studio, saying what happened, files that are dropped.

export const find = (selector, within = document) => within.querySelector(selector);

const message = find("#message");
let fading = 0;

export function warn(text) {
  message.textContent = text;
  message.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => { message.hidden = true; }, 12000);
}
message.addEventListener("click", () => { message.hidden = true; });
addEventListener("keydown", (event) => { if (event.key === "Escape") message.hidden = true; });

export function say(text) { find("#status").textContent = text; }

/** The answer of the studio; an error is shown and thrown. */
export async function ask(address, { body, method, signal, quiet } = {}) {
  const isData = body instanceof Blob || body instanceof Uint8Array;
  let answer;
  try {
    answer = await fetch(address, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: body === undefined ? {} : { "Content-Type": isData ? "application/octet-stream" : "application/json" },
      body: body === undefined || isData ? body : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name !== "AbortError" && !quiet) warn("The studio does not answer: is it still running?");
    throw error;
  }
  if (!answer.ok) {
    const text = await answer.text();
    let why = `The studio answered ${answer.status}.`;
    try { why = JSON.parse(text).error ?? why; } catch { /* no JSON: the number says it */ }
    if (!quiet && answer.status !== 499) warn(why);
    throw new Error(why);
  }
  return answer;
}

export const askJson = async (address, options) => (await ask(address, options)).json();

/** Server-Sent Events; `on` has a function for each name. Returns what closes the stream. */
export function listen(address, on) {
  const source = new EventSource(address);
  const close = () => source.close();
  for (const [name, act] of Object.entries(on)) {
    if (name !== "lost") source.addEventListener(name, (event) => act(JSON.parse(event.data), close));
  }
  source.addEventListener("end", close);
  source.onerror = () => { close(); on.lost?.(); };
  return close;
}

/** Runs `work` with the newest value, one at a time: what came meanwhile is done next, what was overtaken never. */
export function newest(work) {
  let waiting, busy = false;
  return async function offer(value) {
    waiting = { value };
    if (busy) return;
    busy = true;
    try {
      while (waiting) {
        const next = waiting.value;
        waiting = undefined;
        await work(next).catch(() => {});
      }
    } finally { busy = false; }
  };
}

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function inBytes(count) {
  if (count < 10000) return `${count.toLocaleString("en")} B`;
  return count < 1e6 ? `${(count / 1e3).toFixed(1)} kB` : `${(count / 1e6).toFixed(1)} MB`;
}

export const inSeconds = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`);

/** Files of a field, or dropped anywhere on the page. */
export function takeFiles(field, act) {
  field.addEventListener("change", () => { act([...field.files]); field.value = ""; });
  const body = document.body;
  addEventListener("dragover", (event) => { event.preventDefault(); body.classList.add("dropping"); });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) body.classList.remove("dropping"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    body.classList.remove("dropping");
    if (event.dataTransfer.files.length) act([...event.dataTransfer.files]);
  });
}

/** Raw pixels (1 or 3 bytes each, base64) on a canvas of their size. */
export function paint(canvas, text, width, height, channels) {
  const raw = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const image = new ImageData(width, height);
  for (let index = 0; index < width * height; index++) {
    for (let channel = 0; channel < 3; channel++) {
      image.data[4 * index + channel] = raw[channels === 1 ? index : 3 * index + channel];
    }
    image.data[4 * index + 3] = 255;
  }
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

/** A colour of the style sheet, light or dark as it is now. */
export function colour(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}
const probe = document.body.appendChild(document.createElement("i"));
probe.hidden = true;

/** A canvas as many pixels large as the screen has under it; true where that changed. */
export function fitToScreen(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = Math.max(1, Math.round(canvas.clientWidth * ratio));
  const height = Math.max(1, Math.round(canvas.clientHeight * ratio));
  if (canvas.width === width && canvas.height === height) return false;
  canvas.width = width;
  canvas.height = height;
  return true;
}

export function save(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
