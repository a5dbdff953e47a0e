// The state of a view is in its address, after the #: it can be shared, and no log of a server has it.
import { useEffect, useState } from "preact/hooks";

export type State = Record<string, string>;

export interface Place {
  view: string;
  state: State;
}

const moved = new EventTarget();

export function here(): Place {
  const state = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  return { view: location.pathname.replace(/^\/+/, "") || "overview", state };
}

export function address(view: string, state: State): string {
  const parts = new URLSearchParams(Object.entries(state).filter(([, value]) => value !== ""));
  const text = parts.toString();
  return `/${view}${text ? `#${text}` : ""}`;
}

/** Go to a view. With `replace` the step back leads to where the reader was before. */
export function go(view: string, state: State, replace = false): void {
  history[replace ? "replaceState" : "pushState"](null, "", address(view, state));
  moved.dispatchEvent(new Event("moved"));
}

/** Change parts of this view's state; an empty value takes a part away. */
export function change(parts: State, replace = false): void {
  const { view, state } = here();
  go(view, { ...state, ...parts }, replace);
}

export function usePlace(): Place {
  const [place, set] = useState(here);
  useEffect(() => {
    const update = () => set(here());
    moved.addEventListener("moved", update);
    addEventListener("popstate", update);
    addEventListener("hashchange", update);
    return () => {
      moved.removeEventListener("moved", update);
      removeEventListener("popstate", update);
      removeEventListener("hashchange", update);
    };
  }, []);
  return place;
}

/** A link within the page: opens without loading it again, unless the reader wants another tab. */
export function follow(event: MouseEvent): void {
  const link = event.currentTarget as HTMLAnchorElement;
  if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  moved.dispatchEvent(new Event("moved"));
  scrollTo(0, 0);
}
