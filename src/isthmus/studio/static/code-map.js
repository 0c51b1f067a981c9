// The map of codes: samples as dots or small pictures, a ring that is dragged, arrow keys that move it.

import { colour, fitToScreen } from "./studio.js";

const EDGE = 0.06, COLOURS = ["#4e9af1", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#c98d5e", "#ff9da7", "#8f9aa3", "#c6b22e", "#3fb8c0"];

export class CodeMap {
  constructor(canvas, onMove) {
    Object.assign(this, { canvas, onMove, points: [], ring: null, wantsPictures: true });
    new ResizeObserver(() => { fitToScreen(canvas); this.draw(); }).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.held = true; this.drag(event); });
    canvas.addEventListener("pointermove", (event) => { if (this.held) this.drag(event); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { this.held = false; });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  clear() { Object.assign(this, { points: [], ring: null, layer: null }); this.draw(); }

  show({ points, labels, columns }, sprite, { width, height }, wantsPictures) {
    Object.assign(this, { points, labels, columns, sprite, size: { width, height }, wantsPictures, layer: null });
    const across = points.map(([x]) => x), down = points.map(([, y]) => y);
    const box = [Math.min(...across), Math.max(...across), Math.min(...down), Math.max(...down)];
    const room = (low, high) => (high - low || 1) * EDGE;
    this.box = { left: box[0] - room(box[0], box[1]), right: box[1] + room(box[0], box[1]), low: box[2] - room(box[2], box[3]), high: box[3] + room(box[2], box[3]) };
    this.ring = null;
    this.draw();
  }

  asPictures(wanted) { this.wantsPictures = wanted; this.layer = null; this.draw(); }

  place([x, y]) {
    const { left, right, low, high } = this.box;
    return [((x - left) / (right - left)) * this.canvas.width, ((high - y) / (high - low)) * this.canvas.height];
  }

  drag(event) {
    if (!this.points.length) return;
    const frame = this.canvas.getBoundingClientRect(), { left, right, low, high } = this.box;
    const share = (value, size) => Math.min(Math.max(value / size, 0), 1);
    this.moveTo(left + share(event.clientX - frame.left, frame.width) * (right - left), high - share(event.clientY - frame.top, frame.height) * (high - low));
  }

  key(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (!steps || !this.points.length) return;
    event.preventDefault();
    const { left, right, low, high } = this.box, [x, y] = this.ring ?? [(left + right) / 2, (low + high) / 2];
    const within = (value, from, to) => Math.min(Math.max(value, from), to);
    this.moveTo(within(x + (steps[0] * (right - left)) / 50, left, right), within(y + (steps[1] * (high - low)) / 50, low, high));
  }

  moveTo(x, y) { this.ring = [x, y]; this.draw(); this.onMove(x, y); }

  draw() {
    const { canvas } = this, context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.points.length) return;
    if (!this.layer || this.layer.width !== canvas.width || this.layer.height !== canvas.height) this.layer = this.drawSamples();
    context.drawImage(this.layer, 0, 0);
    if (!this.ring) return;
    const [x, y] = this.place(this.ring), ratio = devicePixelRatio || 1;
    for (const [style, width] of [["#000", 6], ["#fff", 3]]) {
      Object.assign(context, { strokeStyle: style, lineWidth: width * ratio });
      context.beginPath();
      context.arc(x, y, 11 * ratio, 0, 7);
      context.stroke();
    }
  }

  drawSamples() {
    const layer = document.createElement("canvas"), ratio = devicePixelRatio || 1;
    Object.assign(layer, { width: this.canvas.width, height: this.canvas.height });
    const context = layer.getContext("2d"), side = Math.max(14, layer.width / ratio / 24) * ratio;
    const tint = Object.assign(document.createElement("canvas"), { width: Math.ceil(side), height: Math.ceil(side) }).getContext("2d");
    this.points.forEach((point, index) => {
      const [x, y] = this.place(point), label = this.labels?.[index];
      const ink = label === undefined || label === null ? colour("--accent") : COLOURS[label % COLOURS.length];
      if (!this.wantsPictures) {
        context.fillStyle = ink;
        context.beginPath();
        context.arc(x, y, 3.2 * ratio, 0, 7);
        context.fill();
        return;
      }
      const { width, height } = this.size;
      const from = [(index % this.columns) * width, Math.floor(index / this.columns) * height, width, height];
      tint.globalCompositeOperation = "source-over";
      tint.drawImage(this.sprite, ...from, 0, 0, tint.canvas.width, tint.canvas.height);
      if (label !== undefined && label !== null) {
        tint.globalCompositeOperation = "multiply";
        tint.fillStyle = ink;
        tint.fillRect(0, 0, tint.canvas.width, tint.canvas.height);
      }
      context.globalCompositeOperation = "lighten"; // so that black grounds cover nothing
      context.drawImage(tint.canvas, x - side / 2, y - side / 2, side, side);
    });
    return layer;
  }
}
