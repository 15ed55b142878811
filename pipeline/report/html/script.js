// The report works without this file: it adds the theme's button, the filter
// of the tests, keys and copy buttons. Storage and clipboard may be denied to a
// page that was opened from a file, so both are tried and never needed.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const remembered = () => {
    try { return localStorage.getItem("pipeline-theme"); } catch { return null; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("pipeline-theme", theme); } catch { /* only this page, then */ }
  };
  const dark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const chosen = remembered();
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen; // before the first paint

  function startTheme() {
    const button = document.getElementById("theme");
    const label = () => { button.textContent = dark() ? "Light" : "Dark"; };
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      remember(root.dataset.theme);
      label();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
    label();
  }

  function startCopy() {
    for (const button of all(".copy")) {
      const code = button.previousElementSibling;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = "Copied";
        } catch {
          getSelection().selectAllChildren(code);
          button.textContent = document.execCommand("copy") ? "Copied" : "Press Ctrl+C";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 1500);
      });
    }
  }

  function startFilter() {
    const form = document.getElementById("filter");
    if (!form) return;
    const input = form.elements.text;
    const count = document.getElementById("matches");
    const groups = all(".tests").map((details) => ({
      details,
      open: details.open,
      rows: all("tbody tr", details).map((row) => ({
        row,
        status: row.className,
        text: (details.dataset.name + " " + row.cells[1].textContent).toLowerCase(),
      })),
    }));
    const total = groups.reduce((sum, group) => sum + group.rows.length, 0);
    let before = false; // whether the list was narrowed already
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const status = form.elements.status.value;
      const narrowed = words.length > 0 || status !== "";
      if (narrowed && !before) groups.forEach((group) => { group.open = group.details.open; });
      before = narrowed;
      let left = 0;
      for (const group of groups) {
        let here = 0;
        for (const { row, status: own, text } of group.rows) {
          const shown = (status === "" || own === status) && words.every((word) => text.includes(word));
          if (row.hidden === shown) row.hidden = !shown;
          if (shown) here++;
        }
        left += here;
        group.details.hidden = here === 0;
        group.details.open = narrowed ? left <= 500 : group.open;
      }
      for (const heading of all("#tests h3")) {
        heading.hidden = !groups.some((g) => g.details.dataset.stage === heading.dataset.stage && !g.details.hidden);
      }
      count.textContent = narrowed ? `${left.toLocaleString("en")} of ${total.toLocaleString("en")}` : "";
    };
    let waiting = 0;
    form.addEventListener("input", () => {
      cancelAnimationFrame(waiting);
      waiting = requestAnimationFrame(apply);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    return () => { form.reset(); };
  }

  // Failures are gone through in the order of the page.
  function startKeys(reset) {
    const help = document.getElementById("help");
    const failures = all(".failure");
    let at = -1;
    const step = (by) => {
      if (failures.length === 0) return;
      const focused = failures.indexOf(document.activeElement.closest?.(".failure"));
      at = Math.min(Math.max((focused < 0 ? at : focused) + by, 0), failures.length - 1);
      failures[at].focus({ preventScroll: true });
      failures[at].scrollIntoView({ block: "start" });
    };
    const keys = {
      "/": () => document.querySelector("#filter input")?.focus(),
      "j": () => step(1),
      "k": () => step(-1),
      "t": () => document.getElementById("theme").click(),
      "?": () => help.showModal(),
    };
    document.getElementById("keys").addEventListener("click", keys["?"]);
    addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
      if (event.target.matches?.("input[type=search]")) {
        if (event.key === "Escape") { reset?.(); event.target.blur(); }
        return;
      }
      if (!keys[event.key]) return;
      event.preventDefault();
      keys[event.key]();
    });
  }

  // A link to something in a closed group opens it.
  function reveal(reset) {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    if (target.closest("[hidden]")) reset?.();
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    setTimeout(() => target.scrollIntoView({ block: "start" }));
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const control of all(".scripted")) control.hidden = false;
    startTheme();
    startCopy();
    const reset = startFilter();
    startKeys(reset);
    addEventListener("hashchange", () => reveal(reset));
    reveal(reset);
  });
})();
