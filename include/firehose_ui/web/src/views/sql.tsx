// A statement, its answer as table or chart, and ways to take it along.
import { useEffect, useMemo, useState } from "preact/hooks";
import { change, type State } from "../address";
import { Failed, post, useAsked, useQuery, type Failure, type Row } from "../api";
import { Chart } from "../chart";
import { Editor } from "../editor";
import { count, seconds, size, ownZone } from "../format";
import { Choice, Problem } from "../parts";
import { useRunning, type Result } from "../running";
import { words } from "../words";

interface Recipe {
  title: string;
  about: string;
  sql: string;
}

const NONE = {};

export default function Sql({ state }: { state: State }) {
  const texts = words.sql;
  const [text, set] = useState(state.q ?? texts.example);
  const schema = useQuery("schema", NONE);
  const { result, run, stop } = useRunning();
  useEffect(() => {
    if (state.q !== undefined && state.q !== text) set(state.q);
  }, [state.q]);
  const tables = useMemo(() => completion(schema.value?.data ?? []), [schema.value]);
  const start = () => {
    change({ q: text }, state.q === undefined || state.q === text);
    void run(text);
  };
  const running = result.state === "running";
  return (
    <>
      <h1>{texts.title}</h1>
      <p class="quiet">{texts.about}</p>
      <Cookbook choose={(recipe) => set(recipe.sql)} />
      <Editor text={text} schema={tables} change={set} run={start} />
      <div class="tools">
        <button class="main" onClick={start} title={texts.runKey}>
          {texts.run}
        </button>
        <button onClick={stop} disabled={!running}>
          {texts.stop}
        </button>
        <Take sql={text} />
      </div>
      <section aria-label={texts.result} class="result">
        <Told result={result} />
        {result.state !== "none" && <Answer result={result} state={state} />}
      </section>
    </>
  );
}

function completion(rows: Row[]): Record<string, string[]> {
  const made: Record<string, string[]> = {};
  for (const [name, columns] of rows as [string, string[]][]) made[name] = columns;
  return made;
}

function Cookbook({ choose }: { choose: (recipe: Recipe) => void }) {
  const texts = words.sql;
  const recipes = useAsked<Recipe[]>("/api/cookbook");
  const [chosen, set] = useState<Recipe>();
  const found = recipes.value ?? [];
  return (
    <div class="cookbook">
      <label class="select">
        <span>{texts.cookbook}</span>
        <select
          value={chosen?.title ?? ""}
          onChange={(event) => {
            const recipe = found.find((one) => one.title === event.currentTarget.value);
            set(recipe);
            if (recipe) choose(recipe);
          }}
        >
          <option value="">{texts.choose}</option>
          {found.map((recipe) => (
            <option key={recipe.title} value={recipe.title}>
              {recipe.title}
            </option>
          ))}
        </select>
      </label>
      {chosen && <p class="quiet">{chosen.about}</p>}
    </div>
  );
}

/** How far the statement is, or how it ended. */
function Told({ result }: { result: Result }) {
  const texts = words.sql;
  const { state, failure } = result;
  if (state === "failed" && failure) {
    const kind = texts.limits[failure.code] ?? (failure.kind === "refused" ? texts.failed : undefined);
    return (
      <div role="alert">
        {kind && <p class="problem">{kind}</p>}
        {kind ? <p class="break quiet">{failure.text}</p> : <Problem failure={failure} />}
      </div>
    );
  }
  const rows = texts.rows(count(result.rows.length), seconds(result.seconds));
  const read = result.read ? texts.read(count(result.read), size(result.bytes)) : "";
  const said = {
    none: texts.ready,
    running: texts.running,
    whole: result.rows.length || result.text ? rows : texts.empty,
    cut: texts.cut(count(result.rows.length)),
    stopped: texts.stopped,
    failed: "",
  }[state];
  return (
    <p role="status" class="told">
      {said} <span class="quiet">{read}</span>
      {state === "running" && (
        <progress aria-label={texts.running} {...(result.total > result.read ? { max: result.total, value: result.read } : {})} />
      )}
    </p>
  );
}

function Answer({ result, state }: { result: Result; state: State }) {
  const texts = words.sql;
  if (result.text) return <pre class="own" tabIndex={0}>{result.text}</pre>;
  if (!result.names.length) return null;
  const as = state.as === "chart" ? "chart" : "table";
  const options: [string, string][] = [
    ["table", texts.table],
    ["chart", texts.chart],
  ];
  return (
    <>
      <Choice label={texts.result} value={as} options={options} choose={(value) => change({ as: value })} />
      {as === "chart" ? <Plotted result={result} /> : <Table result={result} />}
    </>
  );
}

const NUMBER = /^(?:Nullable\(|LowCardinality\()*(?:U?Int\d|B?Float|Decimal)/;
const TIME = /^(?:Nullable\()?Date/;

function Table({ result }: { result: Result }) {
  const { names, types, rows } = result;
  const right = types.map((type) => (NUMBER.test(type) ? "n" : ""));
  return (
    <div class="wide" tabIndex={0} role="region" aria-label={words.sql.result}>
      <table>
        <thead>
          <tr>
            {names.map((name, number) => (
              <th scope="col" key={number} class={right[number]} title={types[number]}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={index}>
              {row.map((value, number) => (
                <td key={number} class={right[number]} dir="auto">
                  {value === null ? <span class="quiet">NULL</span> : typeof value === "object" ? JSON.stringify(value) : String(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The first column that is a time, and the numbers beside it; in the order of time. */
function Plotted({ result }: { result: Result }) {
  const made = useMemo(() => {
    const time = result.types.findIndex((type) => TIME.test(type));
    const numbers = result.types.map((type, number) => (NUMBER.test(type) ? number : -1)).filter((number) => number >= 0);
    if (time < 0 || !numbers.length || result.rows.length < 2) return undefined;
    const sorted = result.rows
      .map((row) => [Date.parse(`${String(row[time]).replace(" ", "T")}${String(row[time]).length > 10 ? "Z" : ""}`) / 1000, row] as const)
      .filter(([at]) => Number.isFinite(at))
      .sort(([one], [other]) => one - other);
    const at = sorted.map(([moment]) => moment);
    const edges = [...at, 2 * at[at.length - 1]! - at[at.length - 2]!];
    const lines = numbers.slice(0, 8).map((number) => ({
      name: result.names[number]!,
      values: sorted.map(([, row]) => (row[number] === null ? null : Number(row[number]))),
      lacks: [],
    }));
    return { edges, lines };
  }, [result.rows, result.state]);
  if (!made) return <p class="quiet empty">{words.sql.noChart}</p>;
  const { edges, lines } = made;
  return (
    <Chart
      name="result"
      title={words.sql.result}
      since={edges[0]!}
      until={edges[edges.length - 1]!}
      zone={ownZone}
      lacks={undefined}
      {...{ edges, lines }}
    />
  );
}

/** A download is a form's answer, which the browser writes to a file as it comes. */
function Take({ sql }: { sql: string }) {
  const texts = words.sql;
  const [said, say] = useState("");
  const [python, show] = useState(false);
  const [ended, end] = useState<Failure>();
  // The browser writes the file and tells the page nothing, so the page asks its server.
  const taking = async (event: SubmitEvent) => {
    const id = crypto.randomUUID?.() ?? String(Math.random());
    (event.currentTarget as HTMLFormElement).querySelector<HTMLInputElement>("[name=id]")!.value = id;
    end(undefined);
    try {
      const how = (await (await post("/api/download/end", { id })).json()) as { error?: Failure };
      end(how.error);
    } catch (error) {
      if (error instanceof Failed) end(error.failure);
    }
  };
  const link = () => {
    change({ q: sql }, true);
    navigator.clipboard.writeText(location.href).then(
      () => say(texts.shared),
      () => say(words.copyFailed + " " + location.href),
    );
  };
  return (
    <>
      <form method="post" action="/api/download" class="take" onSubmit={taking}>
        <input type="hidden" name="id" />
        <input type="hidden" name="sql" value={sql} />
        <span>{texts.download}</span>
        {["csv", "parquet", "json"].map((format) => (
          <button key={format} name="format" value={format}>
            {{ csv: "CSV", parquet: "Parquet", json: "JSON" }[format]}
          </button>
        ))}
      </form>
      <button aria-expanded={python} onClick={() => show(!python)}>
        {texts.python}
      </button>
      <button onClick={link}>{texts.share}</button>
      <span role="status">{said}</span>
      {ended && (
        <div role="alert" class="undone">
          <p class="problem">{texts.undone}</p>
          <p class="break quiet">{ended.text}</p>
        </div>
      )}
      {python && (
        <pre class="own" tabIndex={0} aria-label={texts.python}>
          {asPython(sql)}
        </pre>
      )}
    </>
  );
}

/** A JSON text is a Python text too, but for what lies beyond 16 bits, which is left as it is. */
function asPython(sql: string): string {
  const simple = !sql.includes('"""') && !sql.includes("\\") && !sql.endsWith('"');
  const text = simple ? `"""\n${sql}\n"""` : JSON.stringify(sql);
  return `from firehose.client import query\n\nframe = query(${text})\nprint(frame)`;
}
