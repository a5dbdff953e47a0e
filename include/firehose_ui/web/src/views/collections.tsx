// Every collection that was seen: its events, its accounts, and samples of its records.
import { useMemo } from "preact/hooks";
import { address, follow, type State } from "../address";
import { useQuery } from "../api";
import { Chart } from "../chart";
import { Controls } from "../controls";
import { count, moment } from "../format";
import { useFresh } from "../fresh";
import { counted, useSpanLacks } from "../lines";
import { AccountLink } from "../marked";
import { Card, Shown } from "../parts";
import { edges, wholeHours, type Span } from "../span";
import { words } from "../words";

export default function Collections({ state }: { state: State }) {
  const fresh = useFresh(state);
  return (
    <>
      <h1>{words.views.collections}</h1>
      <Shown answer={fresh.answer} empty={() => false}>
        {() =>
          fresh.span ? (
            <>
              <Controls span={fresh.span} state={state} first={fresh.first} last={fresh.last} />
              <div class="cards charts">
                <List span={fresh.span} state={state} />
                {state.collection ? (
                  <div class="stacked">
                    <Hours span={fresh.span} collection={state.collection} />
                    <Samples span={fresh.span} collection={state.collection} state={state} />
                  </div>
                ) : (
                  <p class="quiet">{words.collections.choose}</p>
                )}
              </div>
            </>
          ) : (
            <p class="quiet empty">{words.states.noData}</p>
          )
        }
      </Shown>
    </>
  );
}

function List({ span, state }: { span: Span; state: State }) {
  const { since, until } = wholeHours(span);
  const answer = useQuery("collections", { since, until });
  const texts = words.collections;
  return (
    <Card name="collections" title={texts.list} about={texts.listAbout}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <div class="wide" tabIndex={0} role="region" aria-label={texts.list}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{texts.name}</th>
                  {[words.types.events, texts.created, texts.updated, texts.deleted].map((name) => (
                    <th scope="col" class="n" key={name}>
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.data.map((row) => {
                  const name = String(row[0]);
                  return (
                    <tr key={name}>
                      <td class="collection">
                        <a
                          href={address("collections", { ...state, collection: name })}
                          onClick={follow}
                          aria-current={name === state.collection ? "true" : undefined}
                        >
                          {name}
                        </a>
                      </td>
                      {row.slice(1).map((value, number) => (
                        <td class="n" key={number}>
                          {count(Number(value))}
                        </td>
                      ))}
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      </Shown>
    </Card>
  );
}

function Hours({ span, collection }: { span: Span; collection: string }) {
  const { since, until } = wholeHours(span);
  const { zone } = span;
  const answer = useQuery("collection_accounts", { since, until, collection });
  const lacks = useSpanLacks(since, until);
  const at = useMemo(() => edges(since, until, "hour", zone), [since, until, zone]);
  const rows = answer.value;
  const lines = useMemo(() => (rows ? counted(rows, at, ["events", "accounts"], lacks) : []), [rows, at, lacks]);
  return (
    <Card name="hours" title={words.collections.hours} about={collection}>
      <Shown answer={answer} empty={(value) => value.data.length === 0}>
        {() => <Chart name="hours" title={words.collections.hours} edges={at} {...{ since, until, zone, lines, lacks }} />}
      </Shown>
    </Card>
  );
}

function Samples({ span, collection, state }: { span: Span; collection: string; state: State }) {
  const { since, until } = wholeHours(span);
  const answer = useQuery("collection_samples", { since, until, collection });
  return (
    <Card name="samples" title={words.collections.samples} about={words.collections.samplesAbout}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => (
          <ol class="thread">
            {rows.data.map((row) => (
              <li key={String(row[0])}>
                <p class="quiet break">
                  {moment(Number(row[1]), span.zone)} · <AccountLink did={String(row[2])} state={state} /> · <code>{String(row[0])}</code>
                </p>
                <p class="text" dir="auto">
                  {row[3] === "{}" ? <span class="quiet">{words.collections.inColumns}</span> : String(row[3])}
                </p>
              </li>
            ))}
          </ol>
        )}
      </Shown>
    </Card>
  );
}
