// The field of a search: completions by keyboard, and an error at its character.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Failure } from "./api";
import { completions } from "./query";
import { words } from "./words";

interface Props {
  query: string;
  failure: Failure | undefined;
  search: (query: string) => void;
}

export function SearchBox({ query, failure, search }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [text, set] = useState(query);
  const [cursor, move] = useState(-1);
  const [chosen, choose] = useState(-1);
  useEffect(() => set(query), [query]);
  const { from, found } = cursor < 0 ? { from: 0, found: [] } : completions(text, cursor);
  const open = found.length > 0;
  const close = () => (move(-1), choose(-1));
  const typed = (field: HTMLInputElement) => {
    set(field.value);
    move(field.selectionStart ?? field.value.length);
    choose(-1);
  };
  const take = (number: number) => {
    const written = found[number]!.text;
    const next = text.slice(0, from) + written + text.slice(cursor);
    const at = from + written.length;
    set(next);
    choose(-1);
    // A filter's name is followed by its value, which may have completions too.
    move(written.endsWith(":") ? at : -1);
    requestAnimationFrame(() => {
      input.current?.focus();
      input.current?.setSelectionRange(at, at);
    });
  };
  const key = (event: KeyboardEvent) => {
    if (event.isComposing || !open) return;
    const last = found.length - 1;
    if (event.key === "ArrowDown") choose(chosen >= last ? 0 : chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen <= 0 ? last : chosen - 1);
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(chosen);
    else return;
    event.preventDefault();
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    close();
    search(text.trim());
  };
  const { search: texts } = words;
  return (
    <form class="search" role="search" onSubmit={submit}>
      <div class="field">
        <input
          ref={input}
          value={text}
          type="text"
          role="combobox"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          dir="auto"
          maxLength={1000}
          placeholder={texts.placeholder}
          aria-label={texts.label}
          aria-autocomplete="list"
          aria-expanded={open}
          aria-controls="completions"
          aria-activedescendant={chosen >= 0 ? `completion-${chosen}` : undefined}
          aria-invalid={failure?.kind === "grammar"}
          aria-describedby={failure ? "wrong" : undefined}
          onInput={(event) => typed(event.currentTarget)}
          onKeyDown={key}
          onBlur={close}
        />
        <ul id="completions" role="listbox" aria-label={texts.completions} hidden={!open}>
          {found.map((each, number) => (
            <li
              key={each.text}
              id={`completion-${number}`}
              role="option"
              aria-selected={number === chosen}
              onMouseDown={(event) => (event.preventDefault(), take(number))}
            >
              <code>{each.text.trim()}</code> <span class="quiet">{texts.filters[each.filter]}</span>
            </li>
          ))}
        </ul>
      </div>
      <button class="main">{texts.go}</button>
      {failure?.kind === "grammar" && <Wrong query={query} failure={failure} />}
    </form>
  );
}

/** The query with the character that is wrong; positions are of characters, not of what a browser's texts are made of. */
function Wrong({ query, failure }: { query: string; failure: Failure }) {
  const characters = [...query];
  const at = failure.position ?? 0;
  return (
    <div class="problem" role="alert" id="wrong">
      <p class="asked">
        {characters.slice(0, at).join("")}
        <mark class="wrong">{characters[at] ?? " "}</mark>
        {characters.slice(at + 1).join("")}
      </p>
      <p class="break">{failure.text}</p>
    </div>
  );
}

export function Help({ choose }: { choose: (query: string) => void }) {
  const { search: texts } = words;
  return (
    <section class="help" aria-label={texts.help}>
      <p>{texts.helpAbout}</p>
      <dl>
        {texts.examples.map(([query, about]) => (
          <div key={query}>
            <dt>
              <button onClick={() => choose(query)}>
                <code>{query}</code>
              </button>
            </dt>
            <dd>{about}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
