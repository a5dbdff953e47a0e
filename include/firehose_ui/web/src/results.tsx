// The posts that a search finds, with what was asked for marked; more of them come after the last that is shown.
import { useEffect, useState } from "preact/hooks";
import { address, change, follow } from "./address";
import { asked, Failed, sent, useAsked, type Failure } from "./api";
import { count, moment } from "./format";
import { Card, Choice, Problem, Shown, Waiting } from "./parts";
import { words } from "./words";

interface Post {
  uri: string;
  did: string;
  handle: string;
  at: number;
  edited: boolean;
  /** The text in pieces, each with whether it was asked for. */
  pieces: [string, boolean][];
  alts: string[];
  languages: string[];
}

interface Posts {
  posts: Post[];
  /** Where the next page begins; empty: there is none. */
  after: string;
  notes: string[];
}

interface Props {
  query: string;
  since: number;
  until: number;
  zone: string;
  /** Whether there are words to rank by. */
  ranked: boolean;
  order: string;
}

export function Results({ query, since, until, zone, ranked, order: wanted }: Props) {
  const { search } = words;
  const order = ranked && wanted === "ranked" ? "ranked" : "newest";
  const question = { q: query, since, until, order };
  const answer = useAsked<Posts>(asked("/api/search/posts", { ...question, after: "" }));
  const options: [string, string][] = [
    ["newest", search.newest],
    ["ranked", search.ranked],
  ];
  const about = order === "ranked" ? search.rankedAbout : search.newestAbout;
  const tools = ranked && <Choice label={search.order} value={order} options={options} choose={(value) => change({ order: value })} />;
  return (
    <Card name="results" title={search.results} about={about} tools={tools}>
      <Shown answer={answer} empty={(found) => found.posts.length === 0}>
        {(found) => (
          <>
            {found.notes.map((note) => (
              <p class="quiet break" key={note}>
                {note}
              </p>
            ))}
            <List posts={found.posts} zone={zone} />
            <More key={JSON.stringify(question) + found.after} question={question} after={found.after} zone={zone} shown={found.posts.length} />
          </>
        )}
      </Shown>
    </Card>
  );
}

function More(props: { question: Record<string, string | number>; after: string; zone: string; shown: number }) {
  const [posts, add] = useState<Post[]>([]);
  const [after, set] = useState(props.after);
  const [state, turn] = useState<"ready" | "waiting" | Failure>("ready");
  const [stop] = useState(() => new AbortController());
  useEffect(() => () => stop.abort(), []);
  const ask = () => {
    turn("waiting");
    sent(asked("/api/search/posts", { ...props.question, after }), stop.signal)
      .then((answer) => answer.json())
      .then((found: Posts) => {
        add((before) => [...before, ...found.posts]);
        set(found.after);
        turn("ready");
      })
      .catch((error: unknown) => {
        if (stop.signal.aborted) return;
        turn(error instanceof Failed ? error.failure : { kind: "offline", code: 0, text: String(error) });
      });
  };
  const { search } = words;
  return (
    <>
      {posts.length > 0 && <List posts={posts} zone={props.zone} />}
      <p class="quiet" role="status">
        {search.shown(count(props.shown + posts.length), after !== "")}
      </p>
      {state === "waiting" ? <Waiting slow={false} /> : state !== "ready" ? <Problem failure={state} again={ask} /> : after && <button onClick={ask}>{search.more}</button>}
    </>
  );
}

function List({ posts, zone }: { posts: Post[]; zone: string }) {
  const { search } = words;
  return (
    <ol class="found">
      {posts.map((post) => {
        const author = address("account", { did: post.did });
        const own = address("post", { uri: post.uri });
        return (
          <li key={post.uri}>
            <p class="quiet break">
              <a href={author} onClick={follow}>
                <bdi>{post.handle ? `@${post.handle}` : post.did}</bdi>
              </a>{" "}
              ·{" "}
              <a href={own} onClick={follow} aria-label={search.open(moment(post.at, zone))}>
                <time dateTime={new Date(post.at * 1000).toISOString()}>{moment(post.at, zone)}</time>
              </a>
              {post.languages.length > 0 && ` · ${post.languages.join(", ")}`}
              {post.edited && ` · ${search.edited}`}
            </p>
            <p class="text" dir="auto">
              {post.pieces.map(([text, marked], number) => (marked ? <mark key={number}>{text}</mark> : text))}
            </p>
            {post.alts.map((alt, number) => (
              <p class="quiet text" dir="auto" key={number}>
                {search.alt} {alt}
              </p>
            ))}
          </li>
        );
      })}
    </ol>
  );
}
