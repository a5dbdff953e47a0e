// The bar above charts: span, step, comparison, time zone. All of it is in the address.
import { change, type State } from "./address";
import { moment, ownZone, seconds } from "./format";
import { Choice, Select } from "./parts";
import { allowed, NAMED, STEPS, usual, type Span } from "./span";
import { words } from "./words";

/** Older data are said to be: a batch has five minutes, and as much again to arrive. */
const STALE_S = 1800;

interface Props {
  span: Span;
  state: State;
  first: number;
  last: number;
  /** Whether the view compares. */
  compares?: boolean;
}

export function Controls({ span, state, first, last, compares }: Props) {
  const { since, until, zone } = span;
  const length = until - since;
  const fixed = Boolean(state.since && state.until);
  const move = (low: number, high: number) => change({ since: String(Math.max(0, Math.round(low))), until: String(Math.round(high)), span: "" });
  const texts = words.span;
  const spans: [string, string][] = [...Object.keys(NAMED), "all"].map((name) => [name, texts[name as "hour"]]);
  const compare: [string, string][] = [
    ["", texts.nothing],
    ["day", texts.theDay],
    ["week", texts.theWeek],
    ["span", texts.theSpan],
  ];
  const zones = [...new Set([ownZone, "UTC", zone])].map((name): [string, string] => [name, name]);
  const steps = STEPS.filter((step) => allowed(step, length)).map((step): [string, string] => [step, words.steps[step] ?? step]);
  const age = Date.now() / 1000 - last;
  return (
    <section class="controls" aria-label={texts.label}>
      <Choice
        label={texts.label}
        value={fixed ? "" : (state.span ?? usual(first, last))}
        options={spans}
        choose={(name) => change({ span: name, since: "", until: "" })}
      />
      <div class="choice" role="group" aria-label={texts.brush}>
        <button onClick={() => move(since - length, until - length)}>{texts.earlier}</button>
        <button onClick={() => move(since + length, until + length)} disabled={until >= last}>
          {texts.later}
        </button>
        <button onClick={() => move(since + length / 4, until - length / 4)} disabled={length < 240}>
          {texts.closer}
        </button>
        <button onClick={() => move(Math.max(first, since - length / 2), Math.min(last, until + length / 2))}>{texts.wider}</button>
        {fixed && <button onClick={() => change({ since: "", until: "" })}>{texts.latest}</button>}
      </div>
      <Select label={texts.step} value={state.step ?? ""} options={[["", texts.auto], ...steps]} choose={(step) => change({ step })} />
      {compares && <Select label={texts.compare} value={state.compare ?? ""} options={compare} choose={(value) => change({ compare: value })} />}
      <Select label={texts.zone} value={zone} options={zones} choose={(name) => change({ zone: name })} />
      <p class="quiet">
        {moment(since, zone)} – {moment(until, zone)}. {words.fresh.until(moment(last, zone))}. {texts.brush}
      </p>
      {age > STALE_S && (
        <p class="stale" role="status">
          {words.fresh.stale(seconds(age))}
        </p>
      )}
    </section>
  );
}
