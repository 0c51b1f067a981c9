// Two pictures under one split, zoomed and moved together; pixels stay crisp beyond 100 %.

import { fitToScreen } from "./studio.js";

const STEP = 1.25, MOST = 64, GRIP = 14;

export class Viewer {
  /** canvas: what is drawn on. onSplit, onZoom: told when they change. */
  constructor(canvas, { onSplit, onZoom }) {
    Object.assign(this, { canvas, onSplit, onZoom, left: null, right: null, split: 0.5, scale: 1, x: 0, y: 0, fits: true });
    this.pointers = new Map();
    this.context = canvas.getContext("2d");
    new ResizeObserver(() => { fitToScreen(canvas); if (this.fits) this.fit(); else this.draw(); }).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", (event) => (this.fits ? this.zoomTo(1, this.at(event)) : this.fit()));
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  show(left, right) {
    const isNew = left && (!this.left || left.width !== this.left.width || left.height !== this.left.height);
    this.left = left;
    this.right = right;
    if (isNew) this.fit(); else this.draw();
  }

  /** Pixels of the screen for a pixel of the picture. */
  get zoom() { return this.scale / (devicePixelRatio || 1); }

  /** The pixel of the picture in the middle of the view. */
  get focus() {
    const { width, height } = this.canvas;
    const inside = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    if (!this.left) return { row: 0, column: 0 };
    return { column: inside((width / 2 - this.x) / this.scale, this.left.width), row: inside((height / 2 - this.y) / this.scale, this.left.height) };
  }

  fit() {
    if (!this.left) return this.draw();
    const { width, height } = this.canvas;
    this.scale = Math.min(width / this.left.width, height / this.left.height);
    if (this.scale > 1) this.scale = Math.min(this.scale, Math.max(1, Math.floor(this.scale)));
    this.x = (width - this.left.width * this.scale) / 2;
    this.y = (height - this.left.height * this.scale) / 2;
    this.fits = true;
    this.onZoom(this.zoom);
    this.draw();
  }

  zoomTo(zoom, point = { x: this.canvas.width / 2, y: this.canvas.height / 2 }) {
    const scale = Math.min(Math.max(zoom * (devicePixelRatio || 1), 0.02), MOST);
    this.x = point.x - (point.x - this.x) * (scale / this.scale);
    this.y = point.y - (point.y - this.y) * (scale / this.scale);
    this.scale = scale;
    this.fits = false;
    this.onZoom(this.zoom);
    this.draw();
  }

  setSplit(share) {
    this.split = Math.min(Math.max(share, 0), 1);
    this.onSplit(this.split);
    this.draw();
  }

  pan(right, down) {
    this.x += right;
    this.y += down;
    this.fits = false;
    this.draw();
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect(), ratio = this.canvas.width / box.width;
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  press(event) {
    if (!this.left) return;
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.at(event);
    this.pointers.set(event.pointerId, point);
    this.movesSplit = this.pointers.size === 1 && Math.abs(point.x - this.split * this.canvas.width) < GRIP * (devicePixelRatio || 1);
  }

  move(event) {
    const point = this.at(event), before = this.pointers.get(event.pointerId);
    if (!before) {
      const isNear = this.left && Math.abs(point.x - this.split * this.canvas.width) < GRIP * (devicePixelRatio || 1);
      this.canvas.style.cursor = isNear ? "ew-resize" : "grab";
      return;
    }
    if (this.pointers.size === 2) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)[1];
      const far = (one) => Math.hypot(one.x - other.x, one.y - other.y);
      this.zoomTo(this.zoom * far(point) / Math.max(1, far(before)), other);
    } else if (this.movesSplit) {
      this.setSplit(point.x / this.canvas.width);
    } else {
      this.pan(point.x - before.x, point.y - before.y);
    }
    this.pointers.set(event.pointerId, point);
  }

  wheel(event) {
    if (!this.left) return;
    event.preventDefault();
    this.zoomTo(this.zoom * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.at(event));
  }

  key(event) {
    const far = this.canvas.width / 8;
    const keys = {
      ArrowLeft: () => this.pan(far, 0), ArrowRight: () => this.pan(-far, 0), ArrowUp: () => this.pan(0, far), ArrowDown: () => this.pan(0, -far),
      "+": () => this.zoomTo(this.zoom * STEP), "=": () => this.zoomTo(this.zoom * STEP), "-": () => this.zoomTo(this.zoom / STEP),
      0: () => this.fit(), 1: () => this.zoomTo(1), "[": () => this.setSplit(this.split - 0.02), "]": () => this.setSplit(this.split + 0.02),
    };
    if (!this.left || !keys[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  draw() {
    const { canvas, context, left, right, scale } = this, border = this.split * canvas.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!left) return;
    for (const [picture, from, to] of [[left, 0, border], [right ?? left, border, canvas.width]]) {
      context.save();
      context.beginPath();
      context.rect(from, 0, to - from, canvas.height);
      context.clip();
      context.imageSmoothingEnabled = scale < 1;
      context.imageSmoothingQuality = "medium";
      context.drawImage(picture, this.x, this.y, left.width * scale, left.height * scale);
      context.restore();
    }
    const ratio = devicePixelRatio || 1, middle = canvas.height / 2;
    context.fillStyle = "#000a";
    context.fillRect(border - 2 * ratio, 0, 4 * ratio, canvas.height);
    context.fillStyle = "#fff";
    context.fillRect(border - ratio, 0, 2 * ratio, canvas.height);
    context.beginPath();
    context.arc(border, middle, 13 * ratio, 0, 7);
    context.fill();
    context.fillStyle = "#111";
    for (const side of [-1, 1]) {
      context.beginPath();
      context.moveTo(border + side * 9 * ratio, middle);
      context.lineTo(border + side * 3 * ratio, middle - 5 * ratio);
      context.lineTo(border + side * 3 * ratio, middle + 5 * ratio);
      context.fill();
    }
  }
}
