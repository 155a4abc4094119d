/** Curves as SVG text: axes from 0 to 100 %, a legend, nothing else. */
const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 60;
const TOP = 20;
const RIGHT = 20;
const BOTTOM = 50;

const x = (share) => (LEFT + share * (WIDTH - LEFT - RIGHT)).toFixed(1);
const y = (share) => (HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)).toFixed(1);

function text(at, anchor, content) {
  return `<text x="${at[0]}" y="${at[1]}" text-anchor="${anchor}">${content}</text>`;
}

function axes(xTitle, yTitle) {
  const lines = [];
  for (let percent = 0; percent <= 100; percent += 10) {
    const share = percent / 100;
    const grid = 'stroke="#ddd"';
    lines.push(`<path d="M${x(0)} ${y(share)}H${x(1)}" ${grid}/>`);
    lines.push(`<path d="M${x(share)} ${y(0)}V${y(1)}" ${grid}/>`);
    lines.push(text([LEFT - 6, Number(y(share)) + 4], "end", percent));
    lines.push(text([x(share), HEIGHT - BOTTOM + 18], "middle", percent));
  }
  lines.push(`<path d="M${x(0)} ${y(1)}V${y(0)}H${x(1)}" stroke="#000" fill="none"/>`);
  lines.push(text([WIDTH / 2, HEIGHT - 10], "middle", xTitle));
  lines.push(`<g transform="rotate(-90 16 ${HEIGHT / 2})">`);
  lines.push(`${text([16, HEIGHT / 2], "middle", yTitle)}</g>`);
  return lines;
}

/** @param curves name, color, dash and points of [share, share] with an optional spread */
export function plot({ xTitle, yTitle, curves }) {
  const lines = curves.flatMap(({ name, color, dash = "", points }, index) => {
    const path = points.map(([at, value]) => `${x(at)} ${y(value)}`).join("L");
    const style = `stroke="${color}" stroke-width="2" stroke-dasharray="${dash}" fill="none"`;
    const key = TOP + 16 + index * 18;
    return [
      `<path d="M${path}" ${style}/>`,
      ...points.map(
        ([at, value]) => `<circle cx="${x(at)}" cy="${y(value)}" r="3" fill="${color}"/>`,
      ),
      ...points.map(([at, value, spread = 0]) => {
        const [low, high] = [y(value - spread), y(value + spread)];
        return `<path d="M${x(at)} ${low}V${high}" stroke="${color}"/>`;
      }),
      `<path d="M${LEFT + 12} ${key - 4}h28" ${style}/>`,
      text([LEFT + 46, key], "start", name),
    ];
  });
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}"`;
  return [
    `${open} font-family="sans-serif" font-size="12">`,
    `<title>${yTitle} over ${xTitle}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    ...axes(xTitle, yTitle),
    ...lines,
    "</svg>\n",
  ].join("\n");
}
