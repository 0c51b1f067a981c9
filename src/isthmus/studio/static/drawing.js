// A canvas to draw on, as coarse as the model sees it; strokes are smooth because they are drawn finer and reduced.

import { paint } from "./studio.js";

const FINER = 8, STROKE = 0.085;

export class Drawing {
  constructor(canvas, onChange) {
    Object.assign(this, { canvas, onChange, last: null });
    this.fine = document.createElement("canvas");
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.redraw(); this.last = this.at(event); this.stroke(event); });
    canvas.addEventListener("pointermove", (event) => { if (this.last) this.stroke(event); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { this.last = null; });
  }

  begin({ width, height, channels }) {
    Object.assign(this, { width, height, channels });
    Object.assign(this.canvas, { width, height });
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    Object.assign(this.fine, { width: width * FINER, height: height * FINER });
    this.clear();
  }

  clear() {
    const context = this.fine.getContext("2d");
    context.fillStyle = "#000";
    context.fillRect(0, 0, this.fine.width, this.fine.height);
    this.redraw();
  }

  /** Raw pixels (base64) in place of what is drawn. */
  put(text) {
    const coarse = document.createElement("canvas");
    paint(coarse, text, this.width, this.height, this.channels);
    const context = this.fine.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(coarse, 0, 0, this.fine.width, this.fine.height);
    this.redraw();
  }

  redraw() {
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(this.fine, 0, 0, this.width, this.height);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * this.fine.width, y: ((event.clientY - box.top) / box.height) * this.fine.height };
  }

  stroke(event) {
    const context = this.fine.getContext("2d"), point = this.at(event);
    Object.assign(context, { strokeStyle: "#fff", lineWidth: STROKE * this.fine.width, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(this.last.x, this.last.y);
    context.lineTo(point.x, point.y);
    context.stroke();
    this.last = point;
    this.redraw();
    this.onChange(this.pixels());
  }

  /** What is drawn, a byte or three for each pixel. */
  pixels() {
    const { data } = this.canvas.getContext("2d", { willReadFrequently: true }).getImageData(0, 0, this.width, this.height);
    const raw = new Uint8Array(this.width * this.height * this.channels);
    for (let index = 0; index < this.width * this.height; index++) {
      for (let channel = 0; channel < this.channels; channel++) raw[index * this.channels + channel] = data[4 * index + channel];
    }
    return raw;
  }
}
