// Spans of time, the steps that a chart divides them into, and the span that it is compared with.
import type { State } from "./address";
import { ownZone } from "./format";

export const STEPS = ["minute", "5 minutes", "15 minutes", "hour", "day", "week", "month"] as const;
export type Step = (typeof STEPS)[number];

export interface Span {
  since: number;
  until: number;
  step: Step;
  zone: string;
  /** How many seconds earlier the span is that it is compared with; 0: none. */
  shift: number;
}

const HOUR = 3600;
const DAY = 86_400;
const LENGTH: Record<Step, number> = {
  minute: 60,
  "5 minutes": 300,
  "15 minutes": 900,
  hour: HOUR,
  day: DAY,
  week: 7 * DAY,
  month: 30 * DAY,
};
/** More steps than this are neither seen nor sent. */
const MOST_STEPS = 1500;
export const NAMED: Record<string, number> = {
  hour: HOUR,
  hours6: 6 * HOUR,
  day: DAY,
  week: 7 * DAY,
  month: 30 * DAY,
  year: 365 * DAY,
};

/** The name of the span of a state that names none: a day, or less where the data are younger than that. */
export function usual(first: number, last: number): string {
  return ["hour", "hours6"].find((name) => last - first <= NAMED[name]!) ?? "day";
}

/** The span that a view's state names: two moments, or the last hours until the newest data. */
export function spanOf(state: State, first: number, last: number): Span {
  const zone = state.zone || ownZone;
  const given = [Number(state.since), Number(state.until)] as const;
  const fixed = state.since && state.until && given[0] >= 0 && given[1] > given[0] && given[1] < 4e9;
  const until = fixed ? given[1] : last;
  const length = state.span === "all" ? last - first : (NAMED[state.span ?? usual(first, last)] ?? DAY);
  const since = fixed ? given[0] : Math.max(0, until - Math.max(length, 60));
  const step = stepOf(state.step, until - since);
  const shift = { day: DAY, week: 7 * DAY, span: until - since }[state.compare ?? ""] ?? 0;
  return { since, until, step, zone, shift };
}

export const allowed = (step: Step, length: number): boolean => length / LENGTH[step] <= MOST_STEPS;

function stepOf(asked: string | undefined, length: number): Step {
  const named = STEPS.find((step) => step === asked);
  if (named && allowed(named, length)) return named;
  return STEPS.find((step) => length / LENGTH[step] <= 300) ?? "month";
}

/** For what is counted by whole hours. */
export function wholeHours(span: Span): { since: number; until: number; before: number; before_until: number } {
  const since = Math.floor(span.since / HOUR) * HOUR;
  const until = Math.ceil(span.until / HOUR) * HOUR;
  const shift = Math.ceil((span.shift || until - since) / HOUR) * HOUR;
  return { since, until, before: Math.max(0, since - shift), before_until: Math.max(0, until - shift) };
}

const offsets = new Map<string, Intl.DateTimeFormat>();

/** How far the clocks of a zone are ahead of UTC, in seconds. */
function offset(at: number, zone: string): number {
  let format = offsets.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    offsets.set(zone, format);
  }
  const name = format.formatToParts(new Date(at * 1000)).find((part) => part.type === "timeZoneName")?.value ?? "";
  const found = /GMT([+-])(\d+):(\d+)/.exec(name);
  return found ? (found[1] === "-" ? -1 : 1) * (Number(found[2]) * HOUR + Number(found[3]) * 60) : 0;
}

/** The start of the step that a moment is in, as the server computes it. */
export function startOf(step: Step, at: number, zone: string): number {
  if (step === "minute" || step === "5 minutes" || step === "15 minutes") return Math.floor(at / LENGTH[step]) * LENGTH[step];
  const ahead = offset(at, zone);
  const local = at + ahead;
  if (step === "hour") return Math.floor(local / HOUR) * HOUR - ahead;
  let day = Math.floor(local / DAY);
  if (step === "week") day -= (((day + 3) % 7) + 7) % 7;
  if (step === "month") {
    const date = new Date(day * DAY * 1000);
    day = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1) / 1000 / DAY;
  }
  const midnight = day * DAY;
  return midnight - offset(midnight - ahead, zone);
}

/** The starts of all steps of a span; the last one is the end of the last step. */
export function edges(since: number, until: number, step: Step, zone: string): number[] {
  const found = [startOf(step, since, zone)];
  while (found[found.length - 1]! < until) {
    const at = found[found.length - 1]!;
    found.push(LENGTH[step] < HOUR ? at + LENGTH[step] : startOf(step, at + LENGTH[step] * 1.1 + (step === "month" ? DAY : 0), zone));
  }
  return found;
}
