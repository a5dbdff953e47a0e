// How much of a step was covered. The server says which spans are not (coverage.py).

export interface Lack {
  since: number;
  until: number;
  kind: "gap" | "unknown" | "outside";
  reason: string;
  /** The type that lacks it; empty: all. */
  queue: string;
}

/** Seconds between two moments in any of these spans; those that overlap count once. */
export function missing(lacks: Lack[], since: number, until: number): number {
  let at = since;
  let sum = 0;
  for (const lack of [...lacks].sort((one, other) => one.since - other.since)) {
    const low = Math.max(at, lack.since);
    const high = Math.min(until, lack.until);
    if (high > low) {
      sum += high - low;
      at = high;
    }
  }
  return sum;
}

export const covered = (lacks: Lack[], since: number, until: number): number =>
  until > since ? 1 - missing(lacks, since, until) / (until - since) : 1;

/** Those that the counts of a type lack. */
export const of = (lacks: Lack[], type: string): Lack[] => lacks.filter((lack) => lack.queue === "" || lack.queue === type);
