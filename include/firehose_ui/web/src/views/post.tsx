// One post: its forms with their proof, what it was given over time, its thread, its quotes.
import { useMemo } from "preact/hooks";
import { go, type State } from "../address";
import { asked, useAsked, useQuery } from "../api";
import { Chart } from "../chart";
import { moment, count, ownZone } from "../format";
import { counted, useSpanLacks } from "../lines";
import { AccountLink, Find, HideInactive, kept, Marked, PostList } from "../marked";
import { Card, Shown } from "../parts";
import { edges } from "../span";
import { words } from "../words";

const ADDRESS = /^at:\/\/(did:[^/]+)\/app\.bsky\.feed\.post\/([^/]+)$/;
const GIVEN = ["likes", "reposts", "replies", "quotes", "taken_back"];

interface Form {
  at: number;
  operation: string;
  rev: string;
  resync: boolean;
  cid: string | null;
  record: Record<string, unknown> | null;
  computed: string | null;
  proof: string | null;
}

export default function Post({ state }: { state: State }) {
  const uri = state.uri ?? "";
  const found = ADDRESS.exec(uri);
  const texts = words.post;
  return (
    <>
      <h1>{words.views.post}</h1>
      <Find label={texts.find} go={texts.go} hint={texts.hint} value={uri} find={(wanted) => go("post", { ...kept(state), uri: wanted })} />
      <HideInactive state={state} />
      {found ? <Known key={uri} uri={uri} did={found[1]!} rkey={found[2]!} state={state} /> : <p class="quiet empty">{uri ? texts.wrong : texts.hint}</p>}
    </>
  );
}

function Known({ uri, did, rkey, state }: { uri: string; did: string; rkey: string; state: State }) {
  const answer = useAsked<{ forms: Form[] }>(asked("/api/post", { did, rkey }));
  const history = useQuery("account_history", { did });
  const texts = words.post;
  const status = statusOf(history.value?.data);
  const handle = history.value?.data.at(-1)?.[2] as string | null | undefined;
  const zone = state.zone || ownZone;
  const root = rootOf(answer.value?.forms) ?? uri;
  return (
    <>
      <Card name="forms" title={texts.forms} about={texts.formsAbout}>
        <p class="break">
          <AccountLink did={did} state={state} text={handle ? `@${handle}` : did} /> <code>{uri}</code>
        </p>
        <Shown answer={history} empty={() => false}>
          {() => (
            <Shown answer={answer} empty={() => false}>
              {({ forms }) => (forms.length ? <Forms forms={forms} status={status} state={state} zone={zone} /> : <p class="quiet empty">{texts.none}</p>)}
            </Shown>
          )}
        </Shown>
      </Card>
      <div class="cards charts">
        <Engagement uri={uri} zone={zone} />
        <Listed name="thread" title={texts.thread} about={texts.threadAbout} query="post_thread" uri={answer.value ? root : ""} state={state} here={uri} />
        <Listed name="quotes" title={texts.quotes} about={texts.quotesAbout} query="post_quotes" uri={uri} state={state} />
      </div>
    </>
  );
}

/** Why an account is not active, by the latest row of its history; empty: it is, as far as is known. */
function statusOf(rows: unknown[][] | undefined): string {
  const status = rows?.at(-1)?.[3];
  return typeof status === "string" && status !== "active" ? status : "";
}

/** The post that began the thread. */
function rootOf(forms: Form[] | undefined): string | undefined {
  const reply = forms?.find((form) => form.record)?.record?.reply as { root?: { uri?: unknown } } | undefined;
  const root = reply?.root?.uri;
  return typeof root === "string" && ADDRESS.test(root) ? root : undefined;
}

function Forms({ forms, status, state, zone }: { forms: Form[]; status: string; state: State; zone: string }) {
  const texts = words.post;
  const edits = forms.filter((form) => form.operation === "update").length;
  const last = forms.at(-1)!;
  return (
    <>
      {last.operation === "delete" && <p class="mark deleted">{texts.deletedAt(moment(last.at, zone))}</p>}
      {edits > 0 && <p class="mark">{texts.edited(count(edits))}</p>}
      <Marked status={status} state={state}>
        <ol class="thread">
          {forms.map((form) => (
            <li key={`${form.rev} ${form.operation} ${form.at}`}>
              <p class="quiet">
                {texts.operations[form.operation] ?? form.operation} {moment(form.at, zone)} {form.resync && `(${texts.resync})`}
              </p>
              {form.record && <Record form={form} />}
            </li>
          ))}
        </ol>
      </Marked>
    </>
  );
}

function Record({ form }: { form: Form }) {
  const texts = words.post;
  const { text } = form.record!;
  return (
    <>
      <p class="text" dir="auto">
        {typeof text === "string" ? text : <span class="quiet">{texts.textUnknown}</span>}
      </p>
      <details>
        <summary>{texts.raw}</summary>
        <p class="break">
          {texts.cid}: <code>{form.cid ?? texts.notGiven}</code>
        </p>
        <p class={`break proof ${form.proof === "matches" ? "" : "mark"}`}>
          {texts.proofs[form.proof ?? ""]} {form.proof !== "matches" && form.computed && <code>{form.computed}</code>}
        </p>
        <pre class="own" tabIndex={0}>{JSON.stringify(form.record, null, 2)}</pre>
      </details>
    </>
  );
}

function Engagement({ uri, zone }: { uri: string; zone: string }) {
  const answer = useQuery("post_engagement", { uri });
  const texts = words.post;
  const rows = answer.value;
  const since = Number(rows?.data[0]?.[0] ?? 0);
  const until = Number(rows?.data.at(-1)?.[0] ?? -3600) + 3600;
  const step = until - since > 14 * 86_400 ? "day" : "hour";
  const lacks = useSpanLacks(since, until);
  const at = useMemo(() => edges(since, until, step, zone), [since, until, step, zone]);
  const lines = useMemo(() => (rows ? counted(rows, at, GIVEN, lacks) : []), [rows, at, lacks]);
  return (
    <Card name="engagement" title={texts.engagement} about={texts.engagementAbout(words.steps[step] ?? step)}>
      <Shown answer={answer} empty={(value) => value.data.length === 0}>
        {(value) => (
          <>
            <p class="totals">
              {GIVEN.map((name, number) => `${count(value.data.reduce((sum, row) => sum + Number(row[number + 1]), 0))} ${words.types[name]}`).join(" · ")}
            </p>
            <Chart name="engagement" title={texts.engagement} edges={at} {...{ since, until, zone, lines, lacks }} />
          </>
        )}
      </Shown>
    </Card>
  );
}

interface ListedProps {
  name: string;
  title: string;
  about: string;
  query: string;
  uri: string;
  state: State;
  here?: string;
}

function Listed({ name, title, about, query, uri, state, here }: ListedProps) {
  const answer = useQuery(query, uri ? { uri } : undefined);
  return (
    <Card name={name} title={title} about={about}>
      <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
        {(rows) => <PostList rows={rows} state={state} {...(here && { hereUri: here })} />}
      </Shown>
    </Card>
  );
}
