// Parts that all views use: states of an answer, fields, bars. They show text of strangers as text.
import type { ComponentChildren } from "preact";
import { follow } from "./address";
import type { Answer, Failure } from "./api";
import { compact, count, share } from "./format";
import { words } from "./words";

export function Card(props: { title: string; about?: string; tools?: ComponentChildren; children: ComponentChildren; name: string }) {
  return (
    <section class="card" aria-labelledby={`${props.name}-title`} data-card={props.name}>
      <header>
        <h2 id={`${props.name}-title`}>{props.title}</h2>
        {props.tools}
        {props.about && <p class="quiet">{props.about}</p>}
      </header>
      {props.children}
    </section>
  );
}

export function Problem({ failure, again }: { failure: Failure; again?: () => void }) {
  const { states } = words;
  const said = { away: states.away, often: states.often, offline: states.offline }[failure.kind as string] ?? states.failed;
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{said}</strong> {again && <button onClick={again}>{states.again}</button>}
      </p>
      <details>
        <summary>{states.details}</summary>
        <p class="break">{failure.text}</p>
      </details>
    </div>
  );
}

/** An answer in its state. While a new one is asked for, the one before stays, paler. */
export function Shown<T>(props: { answer: Answer<T>; empty: (value: T) => boolean; children: (value: T) => ComponentChildren }) {
  const { value, failure, waiting, slow, again } = props.answer;
  if (failure) return <Problem failure={failure} again={again} />;
  if (value === undefined) return <Waiting slow={slow} />;
  return (
    <div class={waiting ? "waiting" : ""} aria-busy={waiting}>
      {slow && <p class="quiet">{words.states.slow}</p>}
      {props.empty(value) ? <p class="quiet empty">{words.states.empty}</p> : props.children(value)}
    </div>
  );
}

export function Waiting({ slow }: { slow: boolean }) {
  return (
    <div class="wait" role="status">
      <span class="spinner" aria-hidden="true" />
      {slow ? words.states.slow : words.states.loading}
    </div>
  );
}

/** Buttons of which one is chosen. */
export function Choice(props: { label: string; value: string; options: [string, string][]; choose: (value: string) => void }) {
  return (
    <div class="choice" role="group" aria-label={props.label}>
      {props.options.map(([value, name]) => (
        <button key={value} aria-pressed={value === props.value} onClick={() => props.choose(value)}>
          {name}
        </button>
      ))}
    </div>
  );
}

export function Select(props: { label: string; value: string; options: [string, string][]; choose: (value: string) => void }) {
  return (
    <label class="select">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.choose(event.currentTarget.value)}>
        {props.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

export interface Bar {
  key: string;
  label: string;
  value: number;
  /** What it would be at the rate of the span before; undefined: not compared. */
  before: number | undefined;
  /** A view about it. */
  href?: string;
}

/** A list of names with bars, and how they have changed. */
export function Bars({ bars, of }: { bars: Bar[]; of?: number }) {
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  return (
    <ol class="bars">
      {bars.map((bar) => (
        <li key={bar.key}>
          <span class="name" dir="auto" title={bar.label}>
            {bar.href ? (
              <a href={bar.href} onClick={follow}>
                {bar.label}
              </a>
            ) : (
              bar.label
            )}
          </span>
          <meter min={0} max={most} value={bar.value} aria-label={bar.label} aria-valuetext={count(bar.value)} />
          <span class="n" title={count(bar.value)}>
            {compact(bar.value)}
            {of ? <small> {share(bar.value / of)}</small> : null}
          </span>
          <Change value={bar.value} before={bar.before} />
        </li>
      ))}
    </ol>
  );
}

export function Change({ value, before }: { value: number; before: number | undefined }) {
  if (before === undefined) return <span class="change" />;
  if (before === 0) return <span class="change up">{value ? words.overview.new : ""}</span>;
  const change = value / before - 1;
  const shown = change > 9.99 ? `×${compact(value / before)}` : `${Math.abs(change * 100).toFixed(0)}%`;
  if (Math.abs(change) < 0.005) return <span class="change">=</span>;
  return <span class={`change ${change > 0 ? "up" : "down"}`}>{`${change > 0 ? "▲" : "▼"} ${shown}`}</span>;
}
