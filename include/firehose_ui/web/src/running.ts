// A statement that runs: its answer comes as lines of JSON, with progress before and between the rows.
import { useEffect, useRef, useState } from "preact/hooks";
import { Failed, post, type Failure, type Row } from "./api";

export interface Result {
  state: "none" | "running" | "whole" | "cut" | "stopped" | "failed";
  names: string[];
  types: string[];
  rows: Row[];
  /** An answer in a format of the reader's own. */
  text: string;
  read: number;
  total: number;
  bytes: number;
  seconds: number;
  failure: Failure | undefined;
}

const NOTHING: Result = {
  state: "none",
  names: [],
  types: [],
  rows: [],
  text: "",
  read: 0,
  total: 0,
  bytes: 0,
  seconds: 0,
  failure: undefined,
};

interface Line {
  progress?: { rows: number; total: number; bytes: number };
  rows?: Row[];
  text?: string;
  end?: "whole" | "cut" | "stopped";
  error?: Failure;
}

export function useRunning() {
  const [result, set] = useState<Result>(NOTHING);
  const now = useRef<{ id: string; stop: AbortController } | undefined>(undefined);
  useEffect(() => () => now.current?.stop.abort(), []);

  async function run(sql: string) {
    now.current?.stop.abort();
    const mine = { id: crypto.randomUUID?.() ?? String(Math.random()), stop: new AbortController() };
    now.current = mine;
    const began = performance.now();
    const show = (parts: Partial<Result>) => {
      if (now.current === mine) set((before) => ({ ...before, ...parts, seconds: (performance.now() - began) / 1000 }));
    };
    show({ ...NOTHING, state: "running" });
    try {
      const answer = await post("/api/sql", { sql, id: mine.id }, mine.stop.signal);
      let result = { ...NOTHING, state: "running" as Result["state"] };
      for await (const line of lines(answer)) show((result = taken(result, line)));
    } catch (error) {
      if (mine.stop.signal.aborted) return;
      const failure = error instanceof Failed ? error.failure : { kind: "offline" as const, code: 0, text: String(error) };
      show({ state: "failed", failure });
    }
  }

  /** The server closes its connection, which ends the query; what had come is shown. */
  const stop = () => now.current && post("/api/sql/cancel", { id: now.current.id }).catch(() => now.current?.stop.abort());
  return { result, run, stop };
}

function taken(result: Result, line: Line): Result {
  if (line.error) return { ...result, state: "failed", failure: line.error };
  if (line.end) return { ...result, state: line.end };
  if (line.progress) return { ...result, read: line.progress.rows, total: line.progress.total, bytes: line.progress.bytes };
  if (line.text !== undefined) return { ...result, text: result.text + line.text };
  let rows = line.rows ?? [];
  let { names, types } = result;
  if (!names.length && rows.length) [names, rows] = [rows[0] as string[], rows.slice(1)];
  if (!types.length && rows.length) [types, rows] = [rows[0] as string[], rows.slice(1)];
  return { ...result, names, types, rows: [...result.rows, ...rows] };
}

async function* lines(answer: Response): AsyncGenerator<Line> {
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part) yield JSON.parse(part) as Line;
  }
}
