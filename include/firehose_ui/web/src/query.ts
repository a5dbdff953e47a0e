// A search's query as text: what the reader types now, completions for it, and filters that a click adds or takes away.
// The grammar itself is the server's.

/** Filters, each with an example or what it finds (words.ts has the texts). */
export const FILTERS = ["from", "to", "mentions", "tag", "domain", "lang", "has", "alt", "since", "until", "as_of", "min_likes"] as const;
const VALUES: Record<string, string[]> = {
  has: ["alt", "image", "video", "gif", "link", "quote", "reply"],
  lang: ["de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "tr", "uk", "zh"],
};

export interface Completion {
  /** What is written in place of the piece before the cursor. */
  text: string;
  /** The filter that it is of. */
  filter: (typeof FILTERS)[number];
}

/** Where the piece begins that ends at the cursor; -1: within quotes, where nothing is completed. */
function pieceBefore(query: string, cursor: number): number {
  const before = query.slice(0, cursor);
  if ((before.match(/["“”„‟«»＂]/g)?.length ?? 0) % 2) return -1;
  return before.length - /\S*$/.exec(before)![0].length;
}

export function completions(query: string, cursor: number): { from: number; found: Completion[] } {
  const from = pieceBefore(query, cursor);
  if (from < 0) return { from: cursor, found: [] };
  const [, hyphen, piece] = /^(-?)(.*)$/s.exec(query.slice(from, cursor))!;
  const colon = piece!.indexOf(":");
  if (colon > 0) {
    const filter = FILTERS.find((name) => name === piece!.slice(0, colon).toLowerCase());
    const begun = piece!.slice(colon + 1).toLowerCase();
    const values = (filter && VALUES[filter])?.filter((value) => value.startsWith(begun) && value !== begun) ?? [];
    return { from, found: values.map((value) => ({ text: `${hyphen}${filter}:${value} `, filter: filter! })) };
  }
  if (!piece) return { from, found: [] };
  const names = FILTERS.filter((name) => name.startsWith(piece!.toLowerCase()));
  return { from, found: names.map((name) => ({ text: `${hyphen}${name}:`, filter: name })) };
}

/** A filter as the grammar reads it; undefined: its value cannot be written. */
export function written(filter: string, value: string): string | undefined {
  return /^[\p{L}\p{N}][\p{L}\p{N}._:%-]*$/u.test(value) ? `${filter}:${value}` : undefined;
}

const pieces = (query: string): string[] => query.match(/-?[a-z_]*:?["“”„‟«»＂][^"“”„‟«»＂]*["“”„‟«»＂]|\S+/giu) ?? [];

export const holds = (query: string, filter: string): boolean => pieces(query).includes(filter);

/** The query with the filter, or without it where it has it already. */
export function toggled(query: string, filter: string): string {
  const rest = pieces(query).filter((piece) => piece !== filter);
  return (holds(query, filter) ? rest : [...rest, filter]).join(" ");
}
