// The frame around all views: navigation, colours, login. Must not: know what a view shows.
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { follow, usePlace } from "./address";
import { Failed, fetched, loginNeeded, post, type Failure } from "./api";
import { Problem, Select, Waiting } from "./parts";
import { views, type View } from "./views";
import { words } from "./words";

interface Session {
  login: boolean;
  reader: string | null;
}

function Page() {
  const [session, set] = useState<Session>();
  const [failure, fail] = useState<Failure>();
  const ask = () => {
    fail(undefined);
    fetched("/api/session")
      .then((answer) => answer.json())
      .then(set)
      .catch((error: Failed) => fail(error.failure));
  };
  useEffect(() => {
    ask();
    const needed = () => set({ login: true, reader: null });
    loginNeeded.addEventListener("needed", needed);
    return () => loginNeeded.removeEventListener("needed", needed);
  }, []);
  const content = useRef<HTMLElement>(null);
  const { view } = usePlace();
  return (
    <>
      <a class="skip" href="#" onClick={(event) => (event.preventDefault(), content.current?.focus())}>
        {words.skip}
      </a>
      <header class="top">
        <Navigation view={view} />
        <Theme />
        {session?.login && session.reader && <Logout session={session} done={set} />}
      </header>
      <main ref={content} tabIndex={-1}>
        {failure ? <Problem failure={failure} again={ask} /> : !session ? <Waiting slow={false} /> : session.reader ? <Shown /> : <Login done={set} />}
      </main>
    </>
  );
}

function Navigation({ view }: { view: string }) {
  return (
    <nav aria-label={words.navigation}>
      {Object.keys(views).map((name) => (
        <a key={name} href={`/${name}`} onClick={follow} aria-current={name === view ? "page" : undefined}>
          {words.views[name]}
        </a>
      ))}
    </nav>
  );
}

/** The view that the address names. */
function Shown() {
  const { view, state } = usePlace();
  const [loaded, set] = useState<{ name: string; view: View }>();
  const [failure, fail] = useState<Failure>();
  const name = view in views ? view : "overview";
  useEffect(() => {
    let wanted = true;
    fail(undefined);
    views[name]!()
      .then((found) => wanted && set({ name, view: found.default }))
      .catch((error: unknown) => wanted && fail({ kind: "offline", code: 0, text: String(error) }));
    document.title = `${words.views[name]} · ${words.title}`;
    return () => {
      wanted = false;
    };
  }, [name]);
  if (failure) return <Problem failure={failure} again={() => location.reload()} />;
  return loaded?.name === name ? <loaded.view state={state} /> : <Waiting slow={false} />;
}

function Theme() {
  const [theme, set] = useState(() => localStorage.getItem("theme") ?? "auto");
  useEffect(() => {
    localStorage.setItem("theme", theme);
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const { label, auto, light, dark } = words.theme;
  const options: [string, string][] = [
    ["auto", auto],
    ["light", light],
    ["dark", dark],
  ];
  return <Select label={label} value={theme} options={options} choose={set} />;
}

function Login({ done }: { done: (session: Session) => void }) {
  const [failure, fail] = useState<Failure>();
  const texts = words.login;
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    post("/api/login", { name: String(given.get("name")), password: String(given.get("password")) })
      .then((answer) => answer.json())
      .then(done)
      .catch((error: Failed) => fail(error.failure));
  };
  return (
    <form class="login" onSubmit={send}>
      <h1>{texts.title}</h1>
      <p class="quiet">{texts.about}</p>
      <label>
        {texts.name} <input name="name" autocomplete="username" required />
      </label>
      <label>
        {texts.password} <input name="password" type="password" autocomplete="current-password" required />
      </label>
      <button>{texts.go}</button>
      {failure && (
        <p class="problem" role="alert">
          {failure.text}
        </p>
      )}
    </form>
  );
}

function Logout({ session, done }: { session: Session; done: (session: Session) => void }) {
  const leave = () =>
    fetched("/api/logout", { method: "POST" })
      .then((answer) => answer.json())
      .then(done);
  return <button onClick={leave}>{words.logout(session.reader ?? "")}</button>;
}

render(<Page />, document.getElementById("page")!);
