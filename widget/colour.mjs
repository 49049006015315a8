// Makes the owner's one colour readable: what stands on it, and what it becomes as ink on the light and the dark surface.
// Contrast as WCAG 2.2 counts it, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio

const READABLE = 4.5;
const SURFACES = { light: [255, 255, 255], dark: [27, 27, 25] };
const BLACK = [0, 0, 0];
const WHITE = [255, 255, 255];

/** `{fill, on, light, dark}` as CSS colours from `#rgb` or `#rrggbb`; null for anything else. */
export function palette(value) {
  const colour = parse(value);
  if (!colour) return null;
  const on = contrast(colour, WHITE) >= READABLE ? WHITE : contrast(colour, BLACK) >= contrast(colour, WHITE) ? BLACK : WHITE;
  return { fill: css(colour), on: css(on), light: css(toward(colour, BLACK, SURFACES.light)), dark: css(toward(colour, WHITE, SURFACES.dark)) };
}

export function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

/** Mixed with `pole` as little as makes it readable on `surface`, tinted as a question's bubble is. */
function toward(colour, pole, surface) {
  const tinted = mix(surface, colour, 0.14);
  for (let part = 0; part < 1; part += 0.05) {
    const mixed = mix(colour, pole, part);
    if (contrast(mixed, surface) >= READABLE && contrast(mixed, tinted) >= READABLE) return mixed;
  }
  return pole;
}

function mix(a, b, part) {
  return a.map((value, index) => Math.round(value + (b[index] - value) * part));
}

function parse(value) {
  const found = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(value ?? "")?.[1];
  if (!found) return null;
  const six = found.length === 3 ? found.replace(/./g, "$&$&") : found;
  return [0, 2, 4].map((at) => Number.parseInt(six.slice(at, at + 2), 16));
}

function luminance(colour) {
  const [red, green, blue] = colour.map((value) => (value <= 10.31475 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function css(colour) {
  return `rgb(${colour.join(" ")})`;
}
