// Rows (moment, a count for each name) as lines over steps, and the coverage that charts shade.
import { asked, useAsked, type Rows } from "./api";
import type { Line } from "./chart";
import { covered, type Lack } from "./coverage";
import { words } from "./words";

export const NO_LACKS: Lack[] = [];

export function useSpanLacks(since: number, until: number): Lack[] {
  const path = until > since ? asked("/api/coverage", { since: Math.max(0, Math.floor(since)), until: Math.ceil(until) }) : "";
  return useAsked<{ lacks: Lack[] }>(path).value?.lacks ?? NO_LACKS;
}

/** What is counted is not scaled to what was not covered: it is of one account or record, seldom and uneven. Of a step
 * of which nothing was covered nothing is known, which is not 0. */
export function counted(rows: Rows, at: number[], names: string[], lacks: Lack[]): Line[] {
  const by = new Map(at.slice(0, -1).map((start) => [start, names.map(() => 0)]));
  for (const row of rows.data) {
    const next = at.findIndex((edge) => edge > Number(row[0]));
    const sums = by.get(at[next - 1] ?? NaN);
    names.forEach((_, number) => sums && (sums[number]! += Number(row[number + 1])));
  }
  const known = at.slice(0, -1).map((start, number) => covered(lacks, start, at[number + 1]!) > 0);
  return names.map((name, number) => {
    const values = [...by.values()].map((sums, step) => (known[step] || sums[number] ? sums[number]! : null));
    return { name: words.types[name] ?? name, lacks: NO_LACKS, values };
  });
}
