// How far the data reach: asked each minute, so that a page that stays open goes on with them.
import { useEffect, useMemo } from "preact/hooks";
import type { State } from "./address";
import { useQuery } from "./api";
import { spanOf } from "./span";

const EACH_MS = 60_000;

export function useFresh(state: State) {
  const answer = useQuery("freshness", NOTHING);
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === "visible" && answer.again(), EACH_MS);
    return () => clearInterval(timer);
  }, []);
  const [first, last, batch] = (answer.value?.data[0] ?? []).map(Number) as [number?, number?, number?];
  // The last batch may have ended after its last event; without batches the events tell.
  const end = Math.max(last ?? 0, batch ?? 0);
  const key = JSON.stringify(state);
  const span = useMemo(() => (first && end ? spanOf(state, first, end) : undefined), [key, first, end]);
  return { answer, span, first: first ?? 0, last: end };
}

const NOTHING = {};
