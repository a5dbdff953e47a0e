// The posts that were given most in a span, with their texts and authors: as text, whatever they say.
import { address, follow, type State } from "./address";
import { useQuery, type Row } from "./api";
import { compact, count } from "./format";
import { AccountLink, kept } from "./marked";
import { Shown } from "./parts";
import { words } from "./words";

interface Props {
  kind: "like" | "repost";
  since: number;
  until: number;
  state: State;
}

export function Posts({ kind, since, until, state }: Props) {
  const answer = useQuery("top_posts", { kind, since, until });
  const uris = (answer.value?.data ?? []).map((row) => String(row[0]));
  const told = useQuery("texts_of", uris.length ? { uris: uris.join(" "), until } : undefined);
  const texts = new Map((told.value?.data ?? []).map((row) => [row[0], row]));
  return (
    <Shown answer={answer} empty={(rows) => rows.data.length === 0}>
      {(rows) => (
        <Shown answer={told} empty={() => false}>
          {() => (
            <ol class="posts">
              {rows.data.map((row) => (
                <Post key={String(row[0])} row={[...row, ...(texts.get(row[0])?.slice(1) ?? [null, null])]} state={state} />
              ))}
            </ol>
          )}
        </Shown>
      )}
    </Shown>
  );
}

/** A record: its address, how many gave it something, its text and its author's handle, where these are known. */
function Post({ row, state }: { row: Row; state: State }) {
  const [uri, given, text, handle] = row as [string, number, string | null, string | null];
  return (
    <li>
      <b title={count(Number(given))}>{compact(Number(given))}</b>
      <div>
        <p class="text" dir="auto">
          {text === null ? <span class="quiet">{words.overview.textUnknown}</span> : text}
        </p>
        <p class="quiet break">
          {words.overview.by} <AccountLink did={uri.split("/")[2]!} state={state} text={handle ? `@${handle}` : undefined} /> ·{" "}
          <a href={address("post", { uri, ...kept(state) })} onClick={follow}>
            <code>{uri}</code>
          </a>
        </p>
      </div>
    </li>
  );
}

