// Posts with their marks: deleted ones, and those of accounts that are not active, which are hidden unless the reader
// wants them. Texts are shown as text, whatever they say.
import type { ComponentChildren } from "preact";
import { address, change, follow, type State } from "./address";
import type { Rows } from "./api";
import { moment, ownZone } from "./format";
import { words } from "./words";

/** Hidden by default; `inactive=show` in the address shows them. */
export const hides = (state: State): boolean => state.inactive !== "show";

/** What a view keeps in the address when it leads to another. */
export const kept = ({ inactive, zone }: State): State => ({ ...(inactive && { inactive }), ...(zone && { zone }) });

export function HideInactive({ state }: { state: State }) {
  return (
    <label class="hide">
      <input
        type="checkbox"
        checked={hides(state)}
        onChange={(event) => change({ inactive: event.currentTarget.checked ? "" : "show" })}
      />{" "}
      {words.post.hide}
    </label>
  );
}

/** What an account wrote, or that it is hidden. */
export function Marked({ status, state, children }: { status: string; state: State; children: ComponentChildren }) {
  if (!status) return <>{children}</>;
  if (hides(state)) return <p class="quiet mark">{words.post.hidden(status)}</p>;
  return (
    <>
      <p class="mark">{words.post.marked(status)}</p>
      {children}
    </>
  );
}

export function AccountLink({ did, state, text }: { did: string; state: State; text?: string | undefined }) {
  return (
    <a href={address("account", { did, ...kept(state) })} onClick={follow}>
      <bdi>{text ?? did}</bdi>
    </a>
  );
}

/** Rows of depth, author, address, time, whether deleted, text, and status of the author. */
export function PostList({ rows, state, hereUri }: { rows: Rows; state: State; hereUri?: string }) {
  return (
    <ol class="thread">
      {rows.data.map((row) => {
        const [depth, did, uri, at, deleted, text, status] = row as [number, string, string, number, boolean, string | null, string];
        return (
          <li key={uri} class={`depth-${Math.min(Number(depth), 8)}`} aria-current={uri === hereUri ? "true" : undefined}>
            <p class="quiet break">
              <AccountLink did={did} state={state} /> ·{" "}
              <a href={address("post", { uri, ...kept(state) })} onClick={follow}>
                {moment(Number(at), state.zone || ownZone)}
              </a>
              {Boolean(deleted) && <strong class="mark"> {words.post.deleted}</strong>}
            </p>
            <Marked status={status} state={state}>
              <p class="text" dir="auto">
                {text ?? <span class="quiet">{words.post.textUnknown}</span>}
              </p>
            </Marked>
          </li>
        );
      })}
    </ol>
  );
}

/** One field, and what the reader wrote into it. */
export function Find(props: { label: string; go: string; hint: string; value: string; find: (value: string) => void }) {
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    props.find(String(new FormData(event.currentTarget as HTMLFormElement).get("wanted")).trim());
  };
  return (
    <form class="tools find" onSubmit={send} role="search">
      <label>
        {props.label} <input name="wanted" key={props.value} defaultValue={props.value} placeholder={props.hint} />
      </label>
      <button>{props.go}</button>
    </form>
  );
}
