// A chart over time. What was not covered is shaded, and a step that was covered in part is drawn at the rate of that
// part: a gap never looks like a dip. The same values are in a table below, for readers who do not see the chart.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "./packages/uplot";
import { covered, type Lack } from "./coverage";
import { compact, count, moment, share } from "./format";
import { words } from "./words";

export interface Line {
  name: string;
  /** Counts by step; null: nothing is known. */
  values: (number | null)[];
  lacks: Lack[];
  /** Of the span before: drawn in dashes, in the colour of the line of that number. */
  like?: number;
}

interface Props {
  name: string;
  title: string;
  /** Starts of the steps, and the end of the last. */
  edges: number[];
  since: number;
  until: number;
  zone: string;
  lines: Line[];
  /** Undefined: what was covered is not known, and the steps are moments. */
  lacks: Lack[] | undefined;
  zoom?: (since: number, until: number) => void;
  /** The span that was asked for, where the steps reach beyond it: what was covered is said of it. */
  asked?: { since: number; until: number };
}

/** Below this share a step has too little to say anything. */
const ENOUGH = 0.5;

export function Chart(props: Props) {
  const { edges, lines, since, until, zone } = props;
  const root = useRef<HTMLDivElement>(null);
  const told = useRef<HTMLParagraphElement>(null);
  const [hidden, hide] = useState<string[]>([]);
  const theme = useTheme();
  const drawn = useMemo(() => lines.map((line) => atFullRate(line, edges, since, until)), [lines, edges, since, until]);

  useEffect(() => {
    if (!root.current) return;
    const middles = edges.slice(0, -1).map((at, number) => (props.lacks ? (at + edges[number + 1]!) / 2 : at));
    const tell = (index: number | null | undefined) => {
      if (told.current) told.current.textContent = index == null ? "" : sentence(index);
    };
    const sentence = (index: number) => {
      const values = lines.map((line, number) => `${line.name} ${value(drawn[number]![index])}`);
      return `${moment(edges[index]!, zone)}: ${values.join(" · ")}`;
    };
    const plot = new uPlot(
      {
        width: root.current.clientWidth,
        height: 220,
        tzDate: (at) => uPlot.tzDate(new Date(at * 1000), zone),
        legend: { show: false },
        scales: { x: { time: true, range: () => [since, until] }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.06 : 1] } },
        cursor: { drag: { x: Boolean(props.zoom), y: false, setScale: false }, points: { size: 6 } },
        axes: [
          { stroke: colour("--quiet"), grid: { stroke: colour("--edge"), width: 1 }, ticks: { show: false }, font: FONT },
          {
            stroke: colour("--quiet"),
            grid: { stroke: colour("--edge"), width: 1 },
            ticks: { show: false },
            font: FONT,
            size: 46,
            values: (_, splits) => splits.map(compact),
          },
        ],
        series: [
          {},
          ...lines.map((line, number) => ({
            label: line.name,
            show: !hidden.includes(line.name),
            stroke: colour(`--line-${(line.like ?? number) + 1}`),
            width: line.like === undefined ? 1.8 : 1.2,
            ...(line.like === undefined ? {} : { dash: [4, 4] }),
            points: { show: edges.length < 80, size: 4 },
          })),
        ],
        hooks: {
          drawClear: [(plot) => shade(plot, props.lacks ?? [])],
          setCursor: [(plot) => tell(plot.cursor.idx)],
          setSelect: [(plot) => select(plot, props.zoom)],
        },
      },
      [middles, ...drawn],
      root.current,
    );
    const resized = new ResizeObserver(() => root.current && plot.setSize({ width: root.current.clientWidth, height: 220 }));
    resized.observe(root.current);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [drawn, edges, hidden, since, until, zone, theme, props.lacks]);

  const toggle = (name: string) =>
    hide((before) => (before.includes(name) ? before.filter((one) => one !== name) : [...before, name]));
  const said = props.asked ?? props;
  const whole = props.lacks ? covered(props.lacks, said.since, said.until) : 1;
  return (
    <div class="chart">
      <div class="legend">
        {lines.map((line, number) => (
          <button
            key={line.name}
            aria-pressed={!hidden.includes(line.name)}
            aria-label={words.chart.toggle(line.name)}
            onClick={() => toggle(line.name)}
          >
            <span class={`key line-${(line.like ?? number) + 1} ${line.like === undefined ? "" : "dashed"}`} aria-hidden="true" />
            {line.name}
          </button>
        ))}
        {whole < 1 && (
          <span class="legend-gap">
            <span class="key gap" aria-hidden="true" />
            {words.gap.legend}
          </span>
        )}
      </div>
      <div class="plot" ref={root} role="img" aria-label={words.chart.describe(props.title)} data-lines={lines.length} />
      <p class="told quiet" ref={told} aria-hidden="true" />
      {props.lacks && <p class="quiet coverage">{whole < 1 ? words.gap.some(share(whole)) : words.gap.none}</p>}
      <Values {...props} drawn={drawn} />
    </div>
  );
}

const FONT = "12px system-ui, sans-serif";

const value = (number: number | null | undefined): string => (number == null ? "–" : count(number));

function Values({ edges, since, until, lines, lacks, zone, drawn }: Props & { drawn: (number | null)[][] }) {
  const [open, set] = useState(false);
  return (
    <details onToggle={(event) => set(event.currentTarget.open)}>
      <summary>{open ? words.chart.hide : words.chart.table}</summary>
      {open && (
        <div class="wide" tabIndex={0} role="region" aria-label={words.chart.table}>
          <table class="values">
            <thead>
              <tr>
                <th scope="col">{words.chart.time}</th>
                {lines.map((line) => (
                  <th scope="col" class="n" key={line.name}>
                    {line.name}
                  </th>
                ))}
                {lacks && <th scope="col" class="n">{words.chart.covered}</th>}
              </tr>
            </thead>
            <tbody>
              {edges.slice(0, -1).map((at, number) => {
                const part = covered(lacks ?? [], Math.max(at, since), Math.min(edges[number + 1]!, until));
                return (
                  <tr key={at}>
                    <th scope="row">{moment(at, zone)}</th>
                    {drawn.map((values, index) => (
                      <td class="n" key={index}>
                        {value(values[number])}
                      </td>
                    ))}
                    {lacks && (
                      <td class="n" title={part < 1 ? words.gap.scaled(share(part)) : ""}>
                        {share(part)}
                      </td>
                    )}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

/** A line's values at the rate of the covered part of each step; null where too little of it was covered. */
function atFullRate(line: Line, edges: number[], since: number, until: number): (number | null)[] {
  return line.values.map((value, number) => {
    if (value === null) return null;
    const [low, high] = [edges[number]!, edges[number + 1]!];
    // A step that the span cuts has the part of it that is within.
    const within = (Math.min(high, until) - Math.max(low, since)) / (high - low);
    const part = within * covered(line.lacks, Math.max(low, since), Math.min(high, until));
    return part >= ENOUGH ? value / part : null;
  });
}

function shade(plot: uPlot, lacks: Lack[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--gap");
  for (const lack of lacks) {
    const left = Math.max(bbox.left, plot.valToPos(lack.since, "x", true));
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(lack.until, "x", true));
    if (right > bbox.left && left < bbox.left + bbox.width) ctx.fillRect(left, bbox.top, Math.max(2, right - left), bbox.height);
  }
  ctx.restore();
}

function select(plot: uPlot, zoom: Props["zoom"]): void {
  const { left, width } = plot.select;
  if (width < 4 || !zoom) return;
  zoom(Math.floor(plot.posToVal(left, "x")), Math.ceil(plot.posToVal(left + width, "x")));
}

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Changes when the colours do: a canvas does not follow styles by itself. */
export function useTheme(): number {
  const [number, set] = useState(0);
  useEffect(() => {
    const next = () => set((before) => before + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(next);
    chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    dark.addEventListener("change", next);
    return () => {
      chosen.disconnect();
      dark.removeEventListener("change", next);
    };
  }, []);
  return number;
}

