// Posts by their text: the query, how many match over time, by what they can be narrowed, and the posts.
import { useMemo } from "preact/hooks";
import { change, type State } from "../address";
import { asked, useAsked, type Answer, type Row, type Rows } from "../api";
import { Chart, type Line } from "../chart";
import { Controls } from "../controls";
import { missing, of, type Lack } from "../coverage";
import { compact, count } from "../format";
import { useFresh } from "../fresh";
import { Card, Problem, Shown, Waiting } from "../parts";
import { holds, toggled, written } from "../query";
import { Results } from "../results";
import { Help, SearchBox } from "../searchbox";
import { edges, spanOf, type Span } from "../span";
import { words } from "../words";

/** The span that is searched: the controls', where the query says none. */
interface Searched {
  since: number;
  until: number;
  ranked: boolean;
}

export default function Search({ state }: { state: State }) {
  const fresh = useFresh(state);
  const query = state.q ?? "";
  // While posts are read, new batches do not move them: the span stays until the reader changes something.
  const span = useMemo(() => fresh.span, [JSON.stringify(state), Boolean(fresh.span)]);
  const wanted = query && span ? asked("/api/search/span", { q: query, ...whole(span) }) : "";
  const checked = useAsked<Searched>(wanted);
  const search = (q: string) => change({ q });
  const { failure, value } = checked;
  return (
    <>
      <h1>{words.views.search}</h1>
      <SearchBox query={query} failure={query ? failure : undefined} search={search} />
      <Shown answer={fresh.answer} empty={() => false}>
        {() =>
          span ? (
            <>
              <Controls span={span} state={state} first={fresh.first} last={fresh.last} />
              {!query || failure?.kind === "grammar" ? (
                <Help choose={search} />
              ) : failure ? (
                <Problem failure={failure} again={checked.again} />
              ) : value && !checked.waiting ? (
                <Found query={query} state={state} searched={value} first={fresh.first} last={fresh.last} />
              ) : (
                <Waiting slow={checked.slow} />
              )}
            </>
          ) : (
            <p class="quiet empty">{words.states.noData}</p>
          )
        }
      </Shown>
    </>
  );
}

const whole = ({ since, until }: { since: number; until: number }) => ({ since: Math.floor(since), until: Math.ceil(until) });

function Found(props: { query: string; state: State; searched: Searched; first: number; last: number }) {
  const { query, state, searched, first, last } = props;
  const { since, until } = whole(searched);
  const span = useMemo(
    () => spanOf({ ...state, since: String(since), until: String(until) }, first, last),
    [JSON.stringify(state), since, until, first, last],
  );
  return (
    <>
      <div class="cards charts">
        <Counts query={query} span={span} />
      </div>
      <div class="cards searched">
        <Results {...{ query, since, until, zone: span.zone, ranked: searched.ranked, order: state.order ?? "" }} />
        <Facets {...{ query, since, until }} />
      </div>
    </>
  );
}

function Counts({ query, span }: { query: string; span: Span }) {
  const { since, until, step, zone } = span;
  const answer = useAsked<Rows>(asked("/api/search/counts", { q: query, since, until, step, zone }));
  const coverage = useAsked<{ lacks: Lack[] }>(asked("/api/coverage", { since, until }));
  const lacks = useMemo(() => of(coverage.value?.lacks ?? [], "posts"), [coverage.value]);
  const at = useMemo(() => edges(since, until, step, zone), [since, until, step, zone]);
  const lines = useMemo((): Line[] => {
    const by = new Map(answer.value?.data.map((row) => [Number(row[0]), Number(row[1])]));
    return [{ name: words.types.posts!, lacks, values: at.slice(0, -1).map((start) => by.get(start) ?? 0) }];
  }, [answer.value, at, lacks]);
  const { search, steps } = words;
  const total = answer.value?.data.reduce((sum, row) => sum + Number(row[1]), 0) ?? 0;
  const zoom = (low: number, high: number) => change({ since: String(low), until: String(Math.max(high, low + 60)), span: "" });
  // A query that names its span keeps it: a brush could not change anything.
  const own = /(?:^|\s)(?:since|until|as_of):/i.test(query);
  const about = search.countsAbout(count(total), steps[step] ?? step);
  return (
    <Card name="counts" title={search.counts} about={answer.value ? about : ""}>
      {coverage.failure && <Problem failure={coverage.failure} again={coverage.again} />}
      <Shown answer={both(answer, coverage)} empty={() => false}>
        {() => (
          <>
            {missing(lacks, since, until) >= until - since && <p class="stale">{search.uncovered}</p>}
            <Chart name="counts" title={search.counts} edges={at} {...{ since, until, zone, lines, lacks }} {...(own ? {} : { zoom })} />
          </>
        )}
      </Shown>
    </Card>
  );
}

/** A chart without its coverage would show gaps as dips, so it waits for both. */
function both(answer: Answer<Rows>, coverage: Answer<unknown>): Answer<Rows> {
  const ready = answer.value && (coverage.value || coverage.failure);
  return { ...answer, value: ready ? answer.value : undefined, waiting: answer.waiting || coverage.waiting };
}

interface Facets {
  /** How many posts were counted, of the most that are. */
  counted: number;
  most: number;
  data: Row[];
}

const FACETS = ["lang", "domain", "from", "has"] as const;

function Facets({ query, since, until }: { query: string; since: number; until: number }) {
  const answer = useAsked<Facets>(asked("/api/search/facets", { q: query, since, until }));
  const { search } = words;
  return (
    <Card name="facets" title={search.facets} about={search.facetsAbout}>
      <Shown answer={answer} empty={(found) => found.counted === 0}>
        {(found) => (
          <>
            {found.counted >= found.most && <p class="quiet">{search.facetsOf(count(found.most))}</p>}
            {FACETS.map((facet) => (
              <Facet key={facet} facet={facet} query={query} rows={found.data.filter((row) => row[0] === facet)} />
            ))}
          </>
        )}
      </Shown>
    </Card>
  );
}

function Facet({ facet, query, rows }: { facet: (typeof FACETS)[number]; query: string; rows: Row[] }) {
  const { search } = words;
  if (!rows.length) return null;
  return (
    <section aria-label={search.facet[facet]}>
      <h3>{search.facet[facet]}</h3>
      <ul class="facet">
        {rows.map((row) => {
          const [, value, handle, posts] = row as [string, string, string, number];
          const label = facet === "from" && handle ? `@${handle}` : value;
          const filter = value === "und" ? undefined : written(facet, value);
          return (
            <li key={value}>
              {filter ? (
                <>
                  <button class="name" title={filter} aria-pressed={holds(query, filter)} onClick={() => change({ q: toggled(query, filter) })}>
                    <bdi>{label}</bdi>
                  </button>
                  <button aria-label={search.without(label)} title={`-${filter}`} onClick={() => change({ q: toggled(query, `-${filter}`) })}>
                    −
                  </button>
                </>
              ) : (
                <bdi class="name">{label}</bdi>
              )}
              <span class="n" title={count(posts)}>
                {compact(posts)}
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
