// What a page cannot do without a script: Airflow's colour mode, new figures without a reload, and ways out of the
// frame in which Airflow shows it. Everything else is made by the server.
"use strict";

(() => {
  const root = document.documentElement;

  function colour() {
    let theme = null;
    try {
      theme = localStorage.getItem("theme"); // where Airflow keeps "light", "dark" or "system"
    } catch {
      // a browser that keeps nothing: the system's colours
    }
    root.classList.toggle("light", theme === "light");
    root.classList.toggle("dark", theme === "dark");
  }

  async function refresh() {
    const live = document.getElementById("main");
    if (document.hidden || live === null) {
      return;
    }
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "error" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = page.getElementById("main");
      if (answer.ok && main !== null) {
        live.replaceWith(main);
      }
      document.body.classList.toggle("stale", !answer.ok);
    } catch {
      document.body.classList.add("stale"); // no server, or no session any more
    }
  }

  function next() {
    const seconds = Number(document.getElementById("main")?.dataset.live ?? 0);
    if (seconds > 0) {
      setTimeout(() => refresh().finally(next), seconds * 1000);
    }
  }

  // Airflow's frame may neither open windows nor move the page around it; a link of that page may.
  function out(event) {
    const link = event.target.closest?.("a[data-out]");
    if (!link || window.parent === window || event.button > 1) {
      return;
    }
    let around;
    try {
      around = window.parent.document;
    } catch {
      return; // somebody else's frame
    }
    event.preventDefault();
    const twin = around.createElement("a");
    twin.href = link.href;
    if (event.button === 1 || event.ctrlKey || event.metaKey || event.shiftKey) {
      twin.target = "_blank";
      twin.rel = "noopener";
    }
    around.body.append(twin);
    twin.click();
    twin.remove();
  }

  colour();
  addEventListener("storage", colour);
  addEventListener("click", out);
  addEventListener("auxclick", out);
  addEventListener("DOMContentLoaded", next);
})();
