// A gallery that is as tall as it needs to be and draws only what is seen: sheets of pictures come as they are scrolled to.

import { ask, colour } from "./studio.js";

const SHEET = 128, KEPT = 96, GAP = 3;
const TALLEST = 8e6; // of a scrolled box: browsers end between 16 and 33 million pixels; above it scrolling is in proportion

export class Gallery {
  constructor({ box, canvas, height }, onChoose) {
    Object.assign(this, { box, canvas, height, onChoose, pack: null, chosen: -1, picked: new Set(), sheets: new Map(), waiting: new Map() });
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(box);
    canvas.addEventListener("click", (event) => this.click(event));
    box.addEventListener("keydown", (event) => this.key(event));
  }

  open(pack) {
    for (const aborted of this.waiting.values()) aborted.abort();
    Object.assign(this, { pack, chosen: -1, picked: new Set(), sheets: new Map(), waiting: new Map() });
    this.box.scrollTop = 0;
    this.measure();
  }

  measure() {
    if (!this.pack) return;
    const ratio = devicePixelRatio || 1, width = this.box.clientWidth, seen = this.box.clientHeight;
    const largest = this.pack.size ? Math.max(...this.pack.size) : 96;
    const wanted = Math.min(112, Math.max(largest <= 40 ? largest * 2 : largest, 48));
    const at = this.first;
    this.across = Math.max(2, Math.floor(width / (wanted + GAP)));
    this.cell = width / this.across;
    this.rows = Math.ceil(this.pack.pictures / this.across);
    this.tall = this.rows * this.cell;
    this.scrolled = Math.max(seen, Math.min(this.tall, TALLEST));
    this.height.style.height = `${this.scrolled}px`;
    Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(seen * ratio) });
    this.canvas.style.height = `${seen}px`;
    if (at) this.reveal(at);
    this.draw();
  }

  /** Pixels of the whole gallery above the view. */
  get top() {
    const room = this.scrolled - this.box.clientHeight;
    return room <= 0 ? 0 : (this.box.scrollTop / room) * (this.tall - this.box.clientHeight);
  }

  set top(value) {
    const room = this.tall - this.box.clientHeight;
    this.box.scrollTop = room <= 0 ? 0 : (Math.min(Math.max(value, 0), room) / room) * (this.scrolled - this.box.clientHeight);
  }

  get first() { return this.pack && this.across ? Math.floor(this.top / this.cell) * this.across : 0; }

  reveal(index) {
    const row = Math.floor(index / this.across) * this.cell, top = this.top;
    if (row < top || row + this.cell > top + this.box.clientHeight) this.top = row - this.box.clientHeight / 2;
  }

  choose(index) {
    if (!this.pack || index < 0 || index >= this.pack.pictures) return;
    this.chosen = index;
    this.reveal(index);
    this.draw();
    this.onChoose(index);
  }

  click(event) {
    if (!this.pack) return;
    const frame = this.canvas.getBoundingClientRect();
    const row = Math.floor((event.clientY - frame.top + this.top) / this.cell), column = Math.floor((event.clientX - frame.left) / this.cell);
    const index = row * this.across + column;
    if (event.ctrlKey || event.metaKey) this.toggle(index);
    if (event.shiftKey && this.chosen >= 0) for (let one = Math.min(this.chosen, index); one <= Math.max(this.chosen, index); one++) this.picked.add(one);
    this.choose(index);
  }

  toggle(index) {
    if (!this.picked.delete(index)) this.picked.add(index);
    this.draw();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.cell)) * this.across;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across, PageUp: -page, PageDown: page };
    if (!this.pack) return;
    if (event.key in steps) this.choose(Math.min(Math.max((this.chosen < 0 ? this.first : this.chosen) + steps[event.key], 0), this.pack.pictures - 1));
    else if (event.key === "Home") this.choose(0);
    else if (event.key === "End") this.choose(this.pack.pictures - 1);
    else if (event.key === " " && this.chosen >= 0) { this.toggle(this.chosen); this.onChoose(this.chosen); } else return;
    event.preventDefault();
  }

  draw() {
    if (!this.pack || this.drawing) return;
    this.drawing = requestAnimationFrame(() => { this.drawing = 0; this.drawNow(); });
  }

  drawNow() {
    const ratio = this.canvas.width / this.box.clientWidth, context = this.canvas.getContext("2d"), top = this.top;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = !this.pack.size || Math.max(...this.pack.size) > this.cell;
    const firstRow = Math.floor(top / this.cell), lastRow = Math.min(this.rows - 1, Math.floor((top + this.box.clientHeight) / this.cell));
    const last = Math.min(this.pack.pictures, (lastRow + 1) * this.across) - 1, wanted = new Set();
    let isWhole = true;
    for (let index = firstRow * this.across; index <= last; index++) {
      const number = Math.floor(index / SHEET), x = (index % this.across) * this.cell, y = Math.floor(index / this.across) * this.cell - top;
      wanted.add(number);
      const sheet = this.sheets.get(number);
      if (sheet) this.drawOne(context, sheet, index % SHEET, x, y); else { isWhole = false; context.fillStyle = colour("--line"); context.fillRect(x + GAP, y + GAP, this.cell - 2 * GAP, this.cell - 2 * GAP); }
      if (index === this.chosen || this.picked.has(index)) {
        context.strokeStyle = colour(index === this.chosen ? "--accent" : "--warm");
        context.lineWidth = 3;
        context.strokeRect(x + 1.5, y + 1.5, this.cell - 3, this.cell - 3);
      }
    }
    for (const [number, aborted] of this.waiting) if (!wanted.has(number)) { aborted.abort(); this.waiting.delete(number); }
    for (const number of wanted) this.fetch(number);
    this.box.dataset.whole = String(isWhole);
  }

  drawOne(context, { bitmap, width, height }, place, x, y) {
    const room = this.cell - GAP, scale = Math.min(room / width, room / height), across = width * scale, down = height * scale;
    const from = [(place % this.pack.columns) * width, Math.floor(place / this.pack.columns) * height, width, height];
    context.drawImage(bitmap, ...from, x + (this.cell - across) / 2, y + (this.cell - down) / 2, across, down);
  }

  async fetch(number) {
    if (this.sheets.has(number) || this.waiting.has(number)) return;
    const aborted = new AbortController(), { pack } = this;
    this.waiting.set(number, aborted);
    try {
      const answer = await ask(`/packs/${pack.key}/sheet?first=${number * SHEET}&count=${SHEET}&side=112`, { signal: aborted.signal });
      const [width, height] = answer.headers.get("X-Cell").split(",").map(Number);
      const bitmap = await createImageBitmap(await answer.blob());
      if (pack !== this.pack) return;
      this.sheets.set(number, { bitmap, width, height });
      if (this.sheets.size > KEPT) this.sheets.delete(this.sheets.keys().next().value);
      this.draw();
    } catch { /* scrolled past, or said already */ } finally { if (this.waiting.get(number) === aborted) this.waiting.delete(number); }
  }
}
