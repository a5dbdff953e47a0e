// Questions to the page's own server, and what a view knows of an answer while it waits.
import { useEffect, useState } from "preact/hooks";

export type Values = Record<string, string | number>;
export type Row = unknown[];

export interface Failure {
  kind: "login" | "away" | "value" | "refused" | "often" | "offline" | "grammar";
  code: number;
  text: string;
  /** Of an error of the grammar: at which character. */
  position?: number;
}

export class Failed extends Error {
  constructor(readonly failure: Failure) {
    super(failure.text);
  }
}

export const loginNeeded = new EventTarget();

export async function fetched(path: string, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new Failed({ kind: "offline", code: 0, text: String(error) });
  }
  if (answer.ok) return answer;
  const failure: Failure = await answer
    .json()
    .then((said) => said.error as Failure)
    .catch(() => ({ kind: "offline", code: answer.status, text: answer.statusText }));
  if (answer.status === 401) loginNeeded.dispatchEvent(new Event("needed"));
  throw new Failed(failure);
}

export async function post(path: string, body: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  const headers = { "Content-Type": "application/json" };
  return fetched(path, { method: "POST", headers, body: JSON.stringify(body), ...(signal && { signal }) });
}

/** A path with values in its query. */
export function asked(path: string, values: Values = {}): string {
  const text = new URLSearchParams(Object.entries(values).map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** Ask a path with its values; those of a search go in the body, so that no log has what a reader looks for. */
export function sent(path: string, signal: AbortSignal): Promise<Response> {
  const [where, values] = path.split("?") as [string, string?];
  if (!where.startsWith("/api/search/")) return fetched(path, { signal });
  return post(where, Object.fromEntries(new URLSearchParams(values)), signal);
}

export interface Answer<T> {
  /** The latest answer: of an earlier question while a new one runs. */
  value: T | undefined;
  failure: Failure | undefined;
  /** The value answers the question of now, not an earlier one. */
  current: boolean;
  waiting: boolean;
  /** It takes longer than a reader expects. */
  slow: boolean;
  again: () => void;
}

const SLOW_MS = 2000;

/** Ask for JSON, and again when the path changes; an empty path asks nothing. */
export function useAsked<T>(path: string): Answer<T> {
  const [state, set] = useState<Omit<Answer<T>, "again" | "current"> & { of: string }>({
    of: "",
    value: undefined,
    failure: undefined,
    waiting: path !== "",
    slow: false,
  });
  const [round, setRound] = useState(0);
  useEffect(() => {
    if (!path) return;
    const stop = new AbortController();
    set((before) => ({ ...before, failure: undefined, waiting: true, slow: false }));
    const slow = setTimeout(() => set((before) => ({ ...before, slow: true })), SLOW_MS);
    sent(path, stop.signal)
      .then((answer) => answer.json())
      .then((value: T) => {
        set({ of: path, value, failure: undefined, waiting: false, slow: false });
      })
      .catch((error: unknown) => {
        if (stop.signal.aborted) return;
        const failure = error instanceof Failed ? error.failure : { kind: "offline" as const, code: 0, text: String(error) };
        set((before) => ({ ...before, failure, waiting: false, slow: false }));
      })
      .finally(() => clearTimeout(slow));
    return () => {
      stop.abort();
      clearTimeout(slow);
    };
  }, [path, round]);
  return { ...state, current: path !== "" && state.of === path, again: () => setRound((number) => number + 1) };
}

export interface Rows {
  data: Row[];
}

/** Ask a named query; undefined values: not yet. */
export function useQuery(name: string, values: Values | undefined): Answer<Rows> {
  return useAsked<Rows>(values ? asked(`/api/query/${name}`, values) : "");
}
