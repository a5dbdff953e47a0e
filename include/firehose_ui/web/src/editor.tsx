// The editor of statements: ClickHouse's keywords, and the tables and columns that an analyst may read.
import { useEffect, useRef } from "preact/hooks";
import {
  autocompletion,
  bracketMatching,
  closeBrackets,
  Compartment,
  completionKeymap,
  defaultKeymap,
  EditorState,
  EditorView,
  HighlightStyle,
  history,
  historyKeymap,
  keymap,
  lineNumbers,
  sql,
  SQLDialect,
  StandardSQL,
  syntaxHighlighting,
  tags,
} from "./packages/codemirror";
import { words } from "./words";

const WORDS =
  "select from where group by order having union all as and or not in is null like between case when then else end distinct join left right " +
  "inner outer full cross on using exists over partition rows range preceding following unbounded current row interval asc desc nulls first last " +
  "true false cast insert into values create temporary table drop set use if any prewhere final sample settings format array asof semi anti global with totals rollup cube limit offset by qualify window ilike describe show explain";
const ClickHouse = SQLDialect.define({
  ...StandardSQL.spec,
  keywords: WORDS,
  caseInsensitiveIdentifiers: false,
  identifierQuotes: '`"',
  doubleDollarQuotedStrings: false,
});
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--link)", fontWeight: "600" },
  { tag: tags.string, color: "var(--fine)" },
  { tag: tags.number, color: "var(--line-3)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
]);
const look = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--card)", fontSize: "14px" },
  ".cm-content": { caretColor: "var(--text)", minHeight: "9em" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--quiet)", border: "0" },
  "&.cm-focused": { outline: "2px solid var(--link)" },
  ".cm-scroller": { maxHeight: "40vh", overflow: "auto" },
  ".cm-tooltip": { backgroundColor: "var(--ground)", border: "1px solid var(--edge)", color: "var(--text)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--link)", color: "var(--ground)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection) !important" },
});

/** Typing over lines that are selected: left to itself, Chromium writes a style attribute, which the policy refuses. */
const overLines = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to } = view.state.selection.main;
    const lines = view.state.doc.lineAt(from).number !== view.state.doc.lineAt(to).number;
    if (event.inputType !== "insertText" || !event.data || !lines || view.composing) return false;
    view.dispatch({ ...view.state.replaceSelection(event.data), userEvent: "input.type", scrollIntoView: true });
    event.preventDefault();
    return true;
  },
});

interface Props {
  text: string;
  /** Columns by table. */
  schema: Record<string, string[]>;
  change: (text: string) => void;
  run: () => void;
}

/**
 * In a shadow root: there the editor's styles are adopted style sheets, which the page's policy allows; in the
 * document they would be a style element, which it does not.
 */
export function Editor({ text, schema, change, run }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const language = useRef(new Compartment());
  const calls = useRef({ change, run });
  calls.current = { change, run };
  useEffect(() => {
    const shadow = root.current!.shadowRoot ?? root.current!.attachShadow({ mode: "open" });
    const runKey = { key: "Mod-Enter", run: () => (calls.current.run(), true), preventDefault: true };
    view.current = new EditorView({
      parent: shadow,
      root: shadow,
      state: EditorState.create({
        doc: text,
        extensions: [
          keymap.of([runKey, ...completionKeymap, ...defaultKeymap, ...historyKeymap]),
          lineNumbers(),
          history(),
          bracketMatching(),
          closeBrackets(),
          overLines,
          autocompletion(),
          syntaxHighlighting(colours),
          look,
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": words.sql.editor }),
          EditorView.updateListener.of((update) => update.docChanged && calls.current.change(update.state.doc.toString())),
          language.current.of(dialect(schema)),
        ],
      }),
    });
    return () => view.current?.destroy();
  }, []);
  useEffect(() => {
    const now = view.current!;
    if (now.state.doc.toString() !== text) now.dispatch({ changes: { from: 0, to: now.state.doc.length, insert: text } });
  }, [text]);
  useEffect(() => view.current?.dispatch({ effects: language.current.reconfigure(dialect(schema)) }), [schema]);
  return <div class="editor" ref={root} />;
}

function dialect(schema: Record<string, string[]>) {
  return sql({ dialect: ClickHouse, schema, defaultSchema: "firehose", upperCaseKeywords: true });
}
