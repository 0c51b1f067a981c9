// A slider for every number of a code, a page of them at a time, and all numbers as bars.

import { colour, fitToScreen, make } from "./studio.js";

const PAGE = 64, ROOM = 0.25;

export class Sliders {
  constructor(box, { range, pages, onChange }) {
    Object.assign(this, { box, range, pages, onChange, first: 0, values: [], inputs: [], ranges: [] });
  }

  begin(count) {
    this.values = new Array(count).fill(0);
    this.ranges = this.values.map(() => [-3, 3]);
    this.pages.hidden = count <= PAGE;
    this.first = 0;
    this.build();
  }

  /** Where the codes of samples lie, with some room. */
  setRanges(low, high) {
    this.ranges = low.map((from, index) => {
      const room = Math.max(ROOM * (high[index] - from), 1e-3);
      return [from - room, high[index] + room];
    });
    this.build();
  }

  middle() { return this.ranges.map(([low, high]) => (low + high) / 2); }

  turn(pages, values) {
    const next = this.first + pages * PAGE;
    if (next < 0 || next >= this.values.length) return;
    this.first = next;
    this.build();
    this.show(values);
  }

  build() {
    const last = Math.min(this.first + PAGE, this.values.length);
    this.range.textContent = `${this.first + 1}–${last} of ${this.values.length}`;
    this.inputs = [];
    const labels = [];
    for (let index = this.first; index < last; index++) {
      const [low, high] = this.ranges[index];
      const input = make("input", { type: "range", min: low, max: high, step: (high - low) / 200 });
      input.setAttribute("aria-label", `Number ${index + 1} of the code`);
      const output = make("output", { textContent: "0" });
      input.addEventListener("input", () => {
        this.values[index] = Number(input.value);
        output.textContent = this.values[index].toFixed(2);
        this.onChange([...this.values]);
      });
      this.inputs.push({ index, input, output });
      labels.push(make("label", {}, make("span", { textContent: index + 1 }), input, output));
    }
    this.box.replaceChildren(...labels);
  }

  show(values) {
    this.values = [...values];
    for (const { index, input, output } of this.inputs) {
      if (document.activeElement !== input) input.value = values[index];
      output.textContent = values[index].toFixed(2);
    }
  }
}

export class Bars {
  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => { fitToScreen(canvas); if (this.values) this.show(this.values, this.ranges); }).observe(canvas);
  }

  show(values, ranges) {
    Object.assign(this, { values, ranges });
    const { canvas } = this, context = canvas.getContext("2d");
    const most = Math.max(1e-6, ...values.map(Math.abs), ...(values.length <= 1024 ? ranges.flat().map(Math.abs) : []));
    const hasBelow = ranges.some(([low]) => low < -0.2 * most) || values.some((value) => value < -1e-3);
    const zero = hasBelow ? canvas.height / 2 : canvas.height - 2, step = canvas.width / values.length;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = colour("--line");
    context.fillRect(0, zero, canvas.width, 1);
    context.fillStyle = colour("--accent");
    values.forEach((value, index) => {
      const tall = (value / most) * (hasBelow ? canvas.height / 2 : canvas.height - 4);
      context.fillRect(index * step + step * 0.12, Math.min(zero, zero - tall), Math.max(1, step * 0.76), Math.max(1, Math.abs(tall)));
    });
  }
}
