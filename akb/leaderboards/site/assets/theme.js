// Light or dark: the reader's choice if there is one, else the system's. Loaded in the head, so that nothing flashes.
(function () {
  "use strict";
  const root = document.documentElement;
  function kept() {
    try { return localStorage.getItem("akb-theme"); } catch { return null; }
  }
  function dark() {
    const chosen = root.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function name(button) {
    button.textContent = dark() ? "Light colours" : "Dark colours";
  }
  const found = kept();
  if (found === "dark" || found === "light") root.dataset.theme = found;
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    document.getElementById("skip").addEventListener("click", (event) => { // the address after "#" is the view's
      event.preventDefault();
      document.getElementById("main").focus();
    });
    name(button);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => name(button));
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("akb-theme", root.dataset.theme); } catch { /* it holds for this page only */ }
      name(button);
    });
  });
})();
