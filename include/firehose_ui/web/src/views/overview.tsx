// What is going on: activity, accounts, languages, tags, links and posts of a span, beside the span before.
import { useRef } from "preact/hooks";
import { change, type State } from "../address";
import { asked, useAsked, useQuery, type Rows } from "../api";
import { Chart, type Line } from "../chart";
import { of, missing, type Lack } from "../coverage";
import { Bars, Card, Choice, Shown, Waiting, type Bar } from "../parts";
import { edges, wholeHours, type Span } from "../span";
import { Controls } from "../controls";
import { HideInactive, hides, AccountLink } from "../marked";
import { compact, count } from "../format";
import { Posts } from "../posts";
import { useFresh } from "../fresh";
import { words } from "../words";

const TYPES = ["posts", "likes", "reposts", "follows", "blocks", "other"];
const ACCOUNTS = ["everyone", "posting", "liking"];
/** Beside each name: the languages that a post may declare, in English. */
const languages = new Intl.DisplayNames("en", { type: "language", fallback: "code" });

export default function Overview({ state }: { state: State }) {
  const fresh = useFresh(state);
  return (
    <>
      <h1>{words.views.overview}</h1>
      <Shown answer={fresh.answer} empty={() => false}>
        {() =>
          fresh.span ? (
            <>
              <Controls span={fresh.span} state={state} first={fresh.first} last={fresh.last} compares />
              <Cards span={fresh.span} state={state} />
            </>
          ) : (
            <p class="quiet empty">{words.states.noData}</p>
          )
        }
      </Shown>
    </>
  );
}

function Cards({ span, state }: { span: Span; state: State }) {
  const lacks = useLacks(span.since, span.until);
  const before = useLacks(span.since - span.shift, span.until - span.shift, span.shift > 0);
  const compared = useCompared(span);
  return (
    <>
    <div class="cards charts">
      <Activity span={span} lacks={lacks} before={before} />
      <Accounts span={span} lacks={lacks} />
    </div>
    <div class="cards lists">
      <Names name="hashtags" {...{ span, state, compared }} prefix="#" />
      <Names name="domains" {...{ span, state, compared }} prefix="" />
      <Languages span={span} compared={compared} />
      <TopPosts span={span} state={state} />
      <Busiest span={span} state={state} />
    </div>
    </>
  );
}

const NONE: Lack[] = [];

function useLacks(since: number, until: number, wanted = true): Lack[] | undefined {
  const path = wanted ? asked("/api/coverage", { since: Math.max(0, Math.floor(since)), until: Math.ceil(until) }) : "";
  const answer = useAsked<{ lacks: Lack[] }>(path);
  return answer.current ? answer.value?.lacks : undefined;
}

interface ChartProps {
  span: Span;
  lacks: Lack[] | undefined;
}

function Activity({ span, lacks, before }: ChartProps & { before: Lack[] | undefined }) {
  const { since, until, step, zone, shift } = span;
  const answer = useQuery("activity", { since, until, step, zone });
  const earlier = useQuery("activity", shift ? { since: Math.max(0, since - shift), until: until - shift, step, zone } : undefined);
  const ready = answer.current && lacks && (!shift || (earlier.current && before));
  const drawn = useLast(ready ? [answer.value, earlier.value, lacks, before, span] : undefined, () => {
    const at = edges(since, until, step, zone);
    const lines = lined(answer.value, at, TYPES, lacks ?? NONE);
    if (shift) lines.push(...dashed(lined(earlier.value, edges(since - shift, until - shift, step, zone), TYPES, before ?? NONE), at, shift));
    return { edges: at, since, until, zone, lines, lacks: lacks ?? NONE, step };
  });
  const { overview, steps } = words;
  const shown = drawn?.step ?? step;
  return (
    <Card name="activity" title={overview.activity} about={overview.activityAbout(steps[shown] ?? shown)}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {() => (drawn ? <Chart name="activity" title={overview.activity} {...drawn} zoom={zoom} /> : <Waiting slow={false} />)}
      </Shown>
    </Card>
  );
}

/** Lines of the span before, drawn over the steps of this one. */
function dashed(lines: Line[], at: number[], shift: number): Line[] {
  return lines.map((line, number) => ({
    ...line,
    name: words.chart.before(line.name),
    values: at.slice(0, -1).map((_, index) => line.values[index] ?? null),
    lacks: line.lacks.map((lack) => ({ ...lack, since: lack.since + shift, until: lack.until + shift })),
    like: number,
  }));
}

function Accounts({ span, lacks }: ChartProps) {
  const { zone } = span;
  const { since, until } = wholeHours(span);
  const step = ["day", "week", "month"].includes(span.step) ? span.step : "hour";
  const answer = useQuery("accounts", { since, until, step, zone });
  const drawn = useLast(answer.current && lacks ? [answer.value, lacks, span] : undefined, () => {
    const at = edges(since, until, step, zone);
    const found = lacks ?? NONE;
    // Twice the time does not have twice the accounts: a step that lacks some is left out, not scaled.
    const whole = (number: number) => missing(found, at[number]!, Math.min(at[number + 1]!, span.until)) < (at[number + 1]! - at[number]!) / 50;
    const lines = lined(answer.value, at, ACCOUNTS, found).map((line) => ({
      ...line,
      lacks: NONE,
      values: line.values.map((value, number) => (whole(number) ? value : null)),
    }));
    return { edges: at, since, until, zone, lines, lacks: found, asked: span };
  });
  const { overview, steps } = words;
  return (
    <Card name="accounts" title={overview.accounts} about={overview.accountsAbout(steps[step] ?? step)}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {() => (drawn ? <Chart name="accounts" title={overview.accounts} {...drawn} zoom={zoom} /> : <Waiting slow={false} />)}
      </Shown>
    </Card>
  );
}

/** What was made of these parts; until all of the next ones are there, what was made of the last ones. */
function useLast<T>(parts: unknown[] | undefined, make: () => T): T | undefined {
  const last = useRef<{ parts: unknown[]; made: T } | undefined>(undefined);
  if (parts && (last.current?.parts.length !== parts.length || parts.some((part, number) => part !== last.current?.parts[number]))) {
    last.current = { parts, made: make() };
  }
  return last.current?.made;
}

const zoom = (since: number, until: number) => change({ since: String(since), until: String(Math.max(until, since + 60)), span: "" });

/** Rows (moment, a count for each name) as lines over the steps; a step without a row has nothing. */
function lined(rows: Rows | undefined, at: number[], names: string[], lacks: Lack[]): Line[] {
  const by = new Map(rows?.data.map((row) => [row[0] as number, row]));
  return names.map((name, number) => ({
    name: words.types[name] ?? name,
    lacks: of(lacks, name),
    values: at.slice(0, -1).map((start) => Number(by.get(start)?.[number + 1] ?? 0)),
  }));
}

interface Compared {
  hours: ReturnType<typeof wholeHours>;
  /** By what the span before has to be multiplied, as it was covered; 0: it was not; undefined: not known yet. */
  scale: number | undefined;
}

/** Whole hours of a span, and of the one before. */
function useCompared(span: Span): Compared {
  const hours = wholeHours(span);
  const lacks = useLacks(hours.since, hours.until);
  const before = useLacks(hours.before, hours.before_until);
  if (!lacks || !before) return { hours, scale: undefined };
  const there = hours.until - hours.since - missing(lacks, hours.since, hours.until);
  const then = hours.before_until - hours.before - missing(before, hours.before, hours.before_until);
  return { hours, scale: then > 0 ? Math.max(there, 1) / then : 0 };
}

const expected = (before: unknown, scale: number | undefined) => (scale ? Number(before) * scale : undefined);

interface NamesProps {
  name: "hashtags" | "domains";
  span: Span;
  state: State;
  compared: Compared;
  prefix: string;
}

function Names({ name, span, state, compared, prefix }: NamesProps) {
  const { overview } = words;
  const order = state[name] || "most";
  const { hours, scale } = compared;
  const answer = useQuery(name, scale === undefined ? undefined : { ...hours, order, scale: scale || 1 });
  const options: [string, string][] = [
    ["most", overview.most],
    ["rising", overview.rising],
    ["falling", overview.falling],
  ];
  return (
    <Card
      name={name}
      title={overview[name]}
      about={`${overview[`${name}About`]}. ${overview.before(against(span))}`}
      tools={<Choice label={overview.order} value={order} options={options} choose={(value) => change({ [name]: value })} />}
    >
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <Bars
            bars={rows.data.map((row): Bar => ({
              key: String(row[0]),
              label: prefix + String(row[0]),
              value: Number(row[1]),
              before: expected(row[2], scale),
            }))}
          />
        )}
      </Shown>
    </Card>
  );
}

function against(span: Span): string {
  return { 86_400: words.span.theDay, 604_800: words.span.theWeek }[span.shift] ?? words.span.theSpan;
}

function Languages({ span, compared }: { span: Span; compared: Compared }) {
  const { overview } = words;
  const { hours, scale } = compared;
  const answer = useQuery("languages", hours);
  return (
    <Card name="languages" title={overview.languages} about={`${overview.languagesAbout}. ${overview.before(against(span))}`}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <Bars
            of={rows.data.reduce((sum, row) => sum + Number(row[1]), 0)}
            bars={rows.data.slice(0, 20).map((row): Bar => ({
              key: String(row[0]),
              label: language(String(row[0])),
              value: Number(row[1]),
              before: expected(row[2], scale),
            }))}
          />
        )}
      </Shown>
    </Card>
  );
}

function language(tag: string): string {
  if (!tag) return words.overview.undeclared;
  if (tag === "und") return words.overview.undetermined;
  try {
    return languages.of(tag) ?? tag;
  } catch {
    return tag;
  }
}

/** Accounts by what they did. Those that are not active are hidden unless the reader wants them. */
function Busiest({ span, state }: { span: Span; state: State }) {
  const { overview, post } = words;
  const { since, until } = wholeHours(span);
  const answer = useQuery("active_accounts", { since, until });
  return (
    <Card name="busiest" title={overview.busiest} about={overview.busiestAbout} tools={<HideInactive state={state} />}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <ol class="ranked">
            {(rows.data as [string, number, string, string][]).map(([did, events, handle, status]) => (
              <li key={did}>
                <span class="break">
                  {status && hides(state) ? (
                    <span class="quiet mark">{post.hidden(status)}</span>
                  ) : (
                    <>
                      <AccountLink did={did} state={state} text={handle ? `@${handle}` : undefined} />
                      {status && <span class="mark"> {post.marked(status)}</span>}
                    </>
                  )}
                </span>
                <span class="n" title={count(Number(events))}>
                  {compact(Number(events))}
                </span>
              </li>
            ))}
          </ol>
        )}
      </Shown>
    </Card>
  );
}

function TopPosts({ span, state }: { span: Span; state: State }) {
  const { overview } = words;
  const kind = state.kind === "repost" ? "repost" : "like";
  const options: [string, string][] = [
    ["like", overview.liked],
    ["repost", overview.reposted],
  ];
  const { since, until } = wholeHours(span);
  return (
    <Card
      name="posts"
      title={overview.posts}
      about={overview.postsAbout}
      tools={<Choice label={overview.order} value={kind} options={options} choose={(value) => change({ kind: value })} />}
    >
      <Posts {...{ kind, since, until, state }} />
    </Card>
  );
}

