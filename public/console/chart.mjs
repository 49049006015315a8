// Bar charts drawn as SVG elements. Each is a picture with one sentence for who cannot see it; the page puts the same numbers into a table.

const SVG = "http://www.w3.org/2000/svg";
/** In the units of the words; a picture that is shown smaller has smaller words. */
const WIDE = 720;
const NARROW = 350;
const LABEL = 62;
const HIGH = 240;
const LEFT = 56;
const FOOT = 28;
const TOP = 12;
const LINES = 4;

/**
 * Groups of bars: `groups` = [{label, values}], one value (a number or null) for each of `series` = [name].
 * `format(number)` writes a value; `stacked` puts a group's values on top of each other; `most` is the top where it is known;
 * `wide` is how wide it is shown on a large screen.
 */
export function bars({ title, groups, series, format, stacked = false, most, wide = WIDE }) {
  const whole = matchMedia("(max-width: 759px)").matches ? NARROW : wide;
  const values = groups.map((group) => (stacked ? sum(group.values) : Math.max(0, ...group.values.map((value) => value ?? 0))));
  const top = most ?? nice(Math.max(0, ...values));
  const svg = shape("svg", { viewBox: `0 0 ${whole} ${HIGH}`, role: "img", class: "chart" });
  svg.setAttribute("aria-label", `${title}. ${told(groups, series, format, stacked)}`);
  const plot = { width: whole - LEFT - 4, height: HIGH - TOP - FOOT };
  const y = (value) => TOP + plot.height * (1 - (top > 0 ? value / top : 0));
  for (let line = 0; line <= LINES; line += 1) {
    const value = (top * line) / LINES;
    svg.append(shape("line", { x1: LEFT, x2: whole, y1: y(value), y2: y(value), class: line ? "chart-line" : "chart-base" }));
    svg.append(words(format(value), { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }));
  }
  const step = plot.width / Math.max(1, groups.length);
  const every = Math.ceil((groups.length * LABEL) / plot.width);
  for (const [at, group] of groups.entries()) {
    const x = LEFT + at * step;
    if (at % every === 0) svg.append(words(group.label, { x: x + step / 2, y: HIGH - 8, "text-anchor": "middle" }));
    svg.append(...(stacked ? tower(group, series, { x, step, y, format }) : beside(group, series, { x, step, y, format })));
  }
  return svg;
}

/** What each colour stands for. */
export function legend(series) {
  const list = document.createElement("ul");
  list.className = "legend";
  for (const [at, name] of series.entries()) {
    const item = document.createElement("li");
    const mark = document.createElement("i");
    mark.className = `mark series-${at % 6}`;
    item.append(mark, name);
    list.append(item);
  }
  return list;
}

function tower(group, series, { x, step, y, format }) {
  let below = 0;
  const width = Math.min(36, step * 0.68);
  return group.values.flatMap((value, at) => {
    if (!value) return [];
    const bar = rect({ x: x + (step - width) / 2, y: y(below + value), width, height: y(below) - y(below + value) }, at, `${group.label}, ${series[at]}: ${format(value)}`);
    below += value;
    return [bar];
  });
}

function beside(group, series, { x, step, y, format }) {
  const width = Math.min(28, (step * 0.78) / Math.max(1, series.length));
  const from = x + (step - width * series.length) / 2;
  return group.values.flatMap((value, at) => (value === null || value === undefined ? [] : [rect({ x: from + at * width + 1, y: y(value), width: width - 2, height: y(0) - y(value) }, at, `${group.label}, ${series[at]}: ${format(value)}`)]));
}

function rect({ x, y, width, height }, at, text) {
  const bar = shape("rect", { x, y, width: Math.max(1, width), height: Math.max(1, height), rx: Math.min(3, height / 2), class: `series-${at % 6}` });
  const title = shape("title", {});
  title.textContent = text;
  bar.append(title);
  return bar;
}

function words(text, attributes) {
  const node = shape("text", attributes);
  node.textContent = text;
  return node;
}

function shape(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, typeof value === "number" ? String(Math.round(value * 100) / 100) : value);
  return node;
}

const sum = (values) => values.reduce((all, value) => all + (value ?? 0), 0);

/** The next number whose quarters one reads easily. */
export function nice(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10].map((factor) => factor * power).find((step) => step >= value);
}

function told(groups, series, format, stacked) {
  if (!groups.length) return "There is nothing to show.";
  if (!stacked) return groups.map((group) => `${group.label}: ${series.map((name, at) => `${name} ${group.values[at] === null || group.values[at] === undefined ? "none" : format(group.values[at])}`).join(", ")}`).join(". ");
  const totals = groups.map((group) => sum(group.values));
  const highest = totals.indexOf(Math.max(...totals));
  return `${groups.length} days, ${format(sum(totals))} in all, most on ${groups[highest].label}: ${format(totals[highest])}. The table below has every number.`;
}
