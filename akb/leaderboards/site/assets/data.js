// The data are scripts that call akbData(name, object): that works from file:// as well as from a server.
"use strict";
(function () {
  const store = new Map();
  const waiting = new Map();

  window.akbData = (name, object) => { store.set(name, object); };

  // the data of that name, loaded once; a missing file is an error that names it
  akb.load = (name) => {
    if (store.has(name)) return Promise.resolve(store.get(name));
    if (waiting.has(name)) return waiting.get(name);
    const path = `data/${name.split("/").map(encodeURIComponent).join("/")}.js`;
    const found = new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = path;
      script.addEventListener("error", () => reject(new Error(`The file ${path} is missing or cannot be read.`)));
      script.addEventListener("load", () => {
        if (store.has(name)) resolve(store.get(name));
        else reject(new Error(`The file ${path} does not hold ${name}: it is damaged or of another board.`));
      });
      document.head.append(script);
    });
    waiting.set(name, found);
    return found;
  };

  akb.CHUNK = 100;
  // how many items a task has: the most that any of its columns asked
  akb.total = (board, taskslug) => Math.max(0, ...board.columns.filter((one) => one.taskslug === taskslug).map((one) => one.n));
  akb.chunk = (taskslug, number) => akb.load(`items/${taskslug}/${number}`);
  akb.every = (board, taskslug) => {
    const chunks = Math.ceil(akb.total(board, taskslug) / akb.CHUNK);
    return Promise.all(Array.from({ length: chunks }, (_, number) => akb.chunk(taskslug, number)));
  };

  akb.columnName = (one) => `${one.task} ${one.version}, ${one.setting}, ${one.protocol}`;
  akb.column = (board, key) => board.columns.find((one) => one.key === key) || board.columns[0];
  akb.model = (board, slug) => board.models.find((one) => one.slug === slug);
  akb.result = (model, key) => akb.own(model.results, key);
  akb.tasks = (board) => [...new Map(board.columns.map((one) => [one.taskslug, one])).values()];

  // each page: load the board, then draw; draw again when the address changes; say it in words when anything fails
  akb.start = (draw) => {
    document.addEventListener("DOMContentLoaded", () => {
      const main = akb.at("main");
      const tell = (error) => {
        akb.fail(`${error.message} Build the site again (akb leaderboard build) or copy the whole folder.`);
        main.setAttribute("aria-busy", "false");
      };
      const again = () => akb.load("board").then((board) => {
        akb.at("problem").hidden = true;
        akb.put("built", `${board.title}. Built ${String(board.built).slice(0, 10)} by akb ${board.akb}.`);
        return draw(board, akb.state.read());
      }).then(() => {
        main.setAttribute("aria-busy", "false");
        requestAnimationFrame(() => performance.mark("drawn"));
      }).catch(tell);
      window.addEventListener("hashchange", again);
      again();
    });
  };
})();
