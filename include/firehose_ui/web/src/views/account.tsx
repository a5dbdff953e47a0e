// One account: who it was over time, when it did how much, what it posts, likes and links to.
import { useMemo } from "preact/hooks";
import { address, change, go, type State } from "../address";
import { useQuery } from "../api";
import { Chart } from "../chart";
import { covered, type Lack } from "../coverage";
import { moment, count, ownZone } from "../format";
import { counted, useSpanLacks } from "../lines";
import { AccountLink, Find, HideInactive, kept, PostList } from "../marked";
import { Bars, Card, Choice, Shown } from "../parts";
import { edges } from "../span";
import { words } from "../words";

const DID = /^did:[a-z]+:.+$/;
const DONE = ["events", "posts", "likes", "reposts", "follows", "deletes"];
const DAY = 86_400;

export default function Account({ state }: { state: State }) {
  const texts = words.account;
  const wanted = (state.did || state.handle) ?? "";
  const find = (value: string) => {
    const name = value.replace(/^@/, "");
    go("account", { ...kept(state), ...(DID.test(name) ? { did: name } : { handle: name.toLowerCase() }) });
  };
  return (
    <>
      <h1>{words.views.account}</h1>
      <Find label={texts.find} go={texts.go} hint={texts.hint} value={wanted} find={find} />
      <HideInactive state={state} />
      {state.did ? (
        <Known key={state.did} did={state.did} state={state} />
      ) : state.handle ? (
        <Named key={state.handle} handle={state.handle} state={state} />
      ) : (
        <p class="quiet empty">{texts.hint}</p>
      )}
    </>
  );
}

const at = (value: unknown, zone: string, otherwise: string): string => (value === null ? otherwise : moment(Number(value), zone));

/** The accounts that had a handle; the one that was said last to have it is shown. */
function Named({ handle, state }: { handle: string; state: State }) {
  const answer = useQuery("account_handles", { handle });
  const texts = words.account;
  const zone = state.zone || ownZone;
  return (
    <Shown answer={answer} empty={() => false}>
      {(rows) =>
        rows.data.length === 0 ? (
          <p class="quiet empty">{texts.noHandle}</p>
        ) : (
          <>
            {new Set(rows.data.map((row) => row[0])).size > 1 && (
              <div class="several" role="status">
                <p class="mark">{texts.several(count(new Set(rows.data.map((row) => row[0])).size))}</p>
                <ul>
                  {rows.data.map((row) => (
                    <li key={`${row[0]} ${row[1]}`}>
                      <AccountLink did={String(row[0])} state={state} /> {texts.had(at(row[1], zone, texts.unknown), at(row[4] ?? row[3], zone, texts.now))}
                    </li>
                  ))}
                </ul>
              </div>
            )}
            <Known did={String(rows.data[0]![0])} state={state} />
          </>
        )
      }
    </Shown>
  );
}

function Known({ did, state }: { did: string; state: State }) {
  const texts = words.account;
  const zone = state.zone || ownZone;
  return (
    <>
      <History did={did} zone={zone} />
      <div class="cards charts">
        <Calendar did={did} zone={zone} />
        <Posts did={did} state={state} />
      </div>
      <div class="cards">
        <Targets did={did} state={state} />
        <Card name="links" title={texts.links} about={texts.linksAbout}>
          <Ranked name="account_links" values={{ did }} />
        </Card>
      </div>
    </>
  );
}

function History({ did, zone }: { did: string; zone: string }) {
  const answer = useQuery("account_history", { did });
  const texts = words.account;
  return (
    <Card name="history" title={texts.history} about={texts.historyAbout}>
      <p class="break">
        <code>{did}</code>
      </p>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <div class="wide" tabIndex={0} role="region" aria-label={texts.history}>
            <table>
              <thead>
                <tr>
                  {[texts.since, texts.until, texts.handle, texts.status].map((name) => (
                    <th scope="col" key={name}>
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.data.map((row) => (
                  <tr key={String(row[0])}>
                    <td class="at">{at(row[0], zone, texts.before)}</td>
                    <td class="at">{at(row[1], zone, texts.now)}</td>
                    <td class="break" dir="auto">
                      {String(row[2] ?? texts.unknown)}
                    </td>
                    <td class={row[3] !== null && row[3] !== "active" ? "mark" : ""}>{String(row[3] ?? texts.unknown)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Shown>
    </Card>
  );
}

function Calendar({ did, zone }: { did: string; zone: string }) {
  const answer = useQuery("account_days", { did, zone });
  const texts = words.account;
  const rows = answer.value;
  const since = Number(rows?.data[0]?.[0] ?? 0);
  const until = Number(rows?.data.at(-1)?.[0] ?? -DAY) + DAY;
  const lacks = useSpanLacks(since, until);
  const days = useMemo(() => edges(since, until, "day", zone), [since, until, zone]);
  const lines = useMemo(() => (rows ? counted(rows, days, DONE, lacks) : []), [rows, days, lacks]);
  return (
    <Card name="calendar" title={texts.calendar} about={texts.calendarAbout}>
      <Shown answer={answer} empty={(value) => value.data.length === 0}>
        {() => (
          <>
            <Days at={days} values={lines[0]?.values ?? []} zone={zone} lacks={lacks} />
            <Chart name="calendar" title={texts.calendar} edges={days} {...{ since, until, zone, lines, lacks }} />
          </>
        )}
      </Shown>
    </Card>
  );
}

/** A square for each day, a column for each week from Monday on. The chart's table has the numbers for those who do not see it. */
function Days({ at, values, zone, lacks }: { at: number[]; values: (number | null)[]; zone: string; lacks: Lack[] }) {
  const { account, gap } = words;
  const most = Math.max(1, ...values.map(Number));
  const first = (new Date(`${moment(at[0]!, zone).slice(0, 10)}T00:00Z`).getUTCDay() + 6) % 7;
  return (
    <div class="wide" tabIndex={0} role="img" aria-label={account.months}>
      <div class="days">
        {values.map((value, number) => {
          const [low, high] = [at[number]!, at[number + 1]!];
          const none = covered(lacks, low, high) === 0;
          const level = value ? Math.ceil((Number(value) / most) * 4) : 0;
          const title = account.day(moment(low, zone).slice(0, 10), count(Number(value)));
          return <span key={low} title={none ? `${title}, ${gap.legend}` : title} class={`level-${none ? "gap" : level} ${number ? "" : `from-${first}`}`} />;
        })}
      </div>
    </div>
  );
}

function Posts({ did, state }: { did: string; state: State }) {
  const answer = useQuery("account_posts", { did });
  return (
    <Card name="posts" title={words.account.posts} about={words.account.postsAbout}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => <PostList rows={rows} state={state} />}
      </Shown>
    </Card>
  );
}

function Targets({ did, state }: { did: string; state: State }) {
  const { kinds, targets, targetsAbout } = words.account;
  const kind = state.kind && state.kind in kinds ? state.kind : "like";
  const choice = <Choice label={targets} value={kind} options={Object.entries(kinds)} choose={(value) => change({ kind: value })} />;
  return (
    <Card name="targets" title={targets} about={targetsAbout} tools={choice}>
      <div class="accounts">
        <Ranked name="account_likes" values={{ did, kind }} to={(name) => address("account", { ...kept(state), did: name })} />
      </div>
    </Card>
  );
}

function Ranked({ name, values, to }: { name: string; values: Record<string, string>; to?: (name: string) => string }) {
  const answer = useQuery(name, values);
  return (
    <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
      {(rows) => (
        <Bars
          bars={rows.data.map((row) => {
            const label = String(row[0]);
            return { key: label, label, value: Number(row[1]), before: undefined, ...(to && { href: to(label) }) };
          })}
        />
      )}
    </Shown>
  );
}
