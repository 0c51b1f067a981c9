// Curves in one plot, with an axis that people can read; SVG, so that it is sharp at every size.

const SPACE = "http://www.w3.org/2000/svg", ROOM = { left: 62, right: 12, top: 10, bottom: 34 };
export const COLOURS = ["#2f8ee0", "#e07b1f", "#3c9b4b", "#d1495b", "#9a6fb0", "#8b6b4f", "#c05f9c", "#6b7a80"];

function draw(parent, tag, attributes, text) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

/** Round numbers from low to high, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low || 1) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough) * power;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return found;
}

/** curves: [{ name, colour, points: [[x, y], ...] }]. */
export function plot(svg, curves, { isLog, xName, yName }) {
  const { width, height } = svg.getBoundingClientRect();
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const shown = curves.map((curve) => ({ ...curve, points: curve.points.filter(([, y]) => Number.isFinite(y) && (!isLog || y > 0)) })).filter((curve) => curve.points.length);
  const all = shown.flatMap((curve) => curve.points);
  if (!all.length) return;
  const scaled = (value) => (isLog ? Math.log10(value) : value);
  const right = Math.max(2, ...all.map(([x]) => x)), levels = all.map(([, y]) => scaled(y));
  let low = Math.min(...levels), high = Math.max(...levels);
  if (high - low < 1e-9) { low -= 0.1 + Math.abs(low) * 0.1; high += 0.1 + Math.abs(high) * 0.1; }
  const gap = (high - low) * 0.06;
  low -= gap; high += gap;
  const across = (x) => ROOM.left + ((x - 1) / (right - 1)) * (width - ROOM.left - ROOM.right);
  const down = (y) => ROOM.top + ((high - y) / (high - low)) * (height - ROOM.top - ROOM.bottom);
  const text = { fill: "var(--quiet)", "font-size": 12 };
  const values = isLog ? ticks(10 ** low, 10 ** high, 5).filter((value) => value > 0).map((value) => [Math.log10(value), value]) : ticks(low, high, 5).map((value) => [value, value]);
  for (const [place, value] of values) {
    draw(svg, "line", { x1: ROOM.left, x2: width - ROOM.right, y1: down(place), y2: down(place), stroke: "var(--line)" });
    draw(svg, "text", { ...text, x: ROOM.left - 8, y: down(place) + 4, "text-anchor": "end" }, Number(value.toPrecision(3)));
  }
  for (const x of ticks(1, right, Math.max(2, width / 110)).map(Math.round).filter((one, index, every) => one >= 1 && every.indexOf(one) === index)) {
    draw(svg, "text", { ...text, x: across(x), y: height - 16, "text-anchor": "middle" }, x);
  }
  draw(svg, "text", { ...text, x: width - ROOM.right, y: height - 2, "text-anchor": "end" }, xName);
  draw(svg, "text", { ...text, x: 4, y: 12 }, yName);
  for (const { name, colour, points } of shown) {
    const line = draw(svg, "polyline", { points: points.map(([x, y]) => `${across(x)},${down(scaled(y))}`).join(" "), fill: "none", stroke: colour, "stroke-width": 2.2, "stroke-linejoin": "round" });
    draw(line, "title", {}, name);
    const [x, y] = points.at(-1);
    draw(svg, "circle", { cx: across(x), cy: down(scaled(y)), r: 3.6, fill: colour });
  }
}
