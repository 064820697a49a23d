/** One line of a plot. */
export interface Series {
  readonly name: string;
  /** By x, ascending. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A line plot. */
export interface Plot {
  readonly title: string;
  /** Absent: logarithmic, with a number below each point. */
  readonly xAxis?: "linear";
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
}

const width = 640;
const plotHeight = 250;
const margin = { left: 70, right: 20, top: 40 };
/** From the x axis down: its numbers, its label, then the legend. */
const legend = { top: 58, rowHeight: 18, shortNameChars: 20 };
/** Told apart also by those who see fewer colours (Okabe and Ito). */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];

/** Points of a line that are marked; of more the line alone is drawn. */
const mostMarks = 30;

/** Draws a plot as SVG; the y axis begins at 0, and so does one for x that is linear. */
export function plotSvg({ title, xAxis, xLabel, yLabel, series }: Plot): string {
  const points = series.flatMap((each) => each.points);
  const isLinear = xAxis === "linear";
  // 0 stands where 1 would.
  const placeOf = (x: number) => isLinear ? x : Math.log10(Math.max(1, x));
  const xTicks = isLinear ? ticks(Math.max(...points.map(([x]) => x), 0)) : [...new Set(points.map(([x]) => x))];
  const xs = xTicks.map(placeOf);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const yTicks = ticks(Math.max(...points.map(([, y]) => y), 0));
  const top = yTicks.at(-1) ?? 1;
  const plotWidth = width - margin.left - margin.right;
  const columns = series.some(({ name }) => name.length > legend.shortNameChars) ? 2 : 3;
  const height = margin.top + plotHeight + legend.top + Math.ceil(series.length / columns) * legend.rowHeight;
  const xAt = (x: number) =>
    margin.left + (right === left ? plotWidth / 2 : (placeOf(x) - left) / (right - left) * plotWidth);
  const yAt = (y: number) => margin.top + plotHeight - y / top * plotHeight;
  const parts: string[] = [];
  for (const tick of yTicks) {
    const y = fixed(yAt(tick));
    parts.push(
      `<line x1="${margin.left}" x2="${width - margin.right}" y1="${y}" y2="${y}" stroke="#ddd"/>`,
      text(margin.left - 6, yAt(tick) + 4, short(tick), "end"),
    );
  }
  for (const x of xTicks) {
    parts.push(
      `<line x1="${fixed(xAt(x))}" x2="${fixed(xAt(x))}" y1="${fixed(yAt(0))}" y2="${
        fixed(yAt(0) + 4)
      }" stroke="#666"/>`,
      text(xAt(x), yAt(0) + 17, short(x), "middle"),
    );
  }
  series.forEach(({ name, points }, at) => {
    const colour = colours[at % colours.length] ?? "#000";
    const path = points.map(([x, y]) => `${fixed(xAt(x))},${fixed(yAt(y))}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [x, y] of points.length > mostMarks ? [] : points) {
      parts.push(`<circle cx="${fixed(xAt(x))}" cy="${fixed(yAt(y))}" r="3" fill="${colour}"/>`);
    }
    const legendX = margin.left + (at % columns) * (plotWidth / columns);
    const legendY = yAt(0) + legend.top + Math.floor(at / columns) * legend.rowHeight;
    parts.push(
      `<rect x="${fixed(legendX)}" y="${fixed(legendY - 9)}" width="10" height="10" fill="${colour}"/>`,
      text(legendX + 15, legendY, name, "start"),
    );
  });
  const middle = margin.top + plotHeight / 2;
  parts.push(
    `<line x1="${margin.left}" x2="${width - margin.right}" y1="${fixed(yAt(0))}" y2="${
      fixed(yAt(0))
    }" stroke="#666"/>`,
    `<text x="${width / 2}" y="22" text-anchor="middle" font-size="15">${escaped(title)}</text>`,
    text(margin.left + plotWidth / 2, yAt(0) + 34, xLabel, "middle"),
    `<text x="16" y="${middle}" text-anchor="middle" transform="rotate(-90 16 ${middle})">${escaped(yLabel)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n${
      parts.join("\n")
    }\n</svg>\n`;
}

/** Round numbers from 0 to at least the highest value. */
function ticks(highest: number): number[] {
  if (highest <= 0) return [0, 1];
  const rough = highest / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough) ?? rough;
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, at) => at * step);
}

/** 10000 as 10k, 4096 as 4Ki, 0.30000000000000004 as 0.3. */
export function short(value: number): string {
  if (value > 0 && value % 1024 === 0) return `${value / 1024}Ki`;
  if (value >= 1000) return `${Number((value / 1000).toPrecision(3))}k`;
  return String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, content: string, anchor: "start" | "middle" | "end"): string {
  return `<text x="${fixed(x)}" y="${fixed(y)}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function fixed(value: number): string {
  return String(Number(value.toFixed(1)));
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
