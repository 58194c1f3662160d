// The items of a task: filtered by category and words, sorted by difficulty, a hundred at a time.
"use strict";
(function () {
  const { el } = akb;
  const PAGE = 100;

  akb.start(async (board, first) => {
    let state = first;
    const tasks = akb.tasks(board);
    const task = state.task || tasks[0]?.taskslug;
    const column = tasks.find((one) => one.taskslug === task);
    if (!column) throw new Error(`The board has no task "${task}".`);
    akb.put("title", `Items of ${column.task} ${column.version}`);
    document.title = `${column.task} ${column.version} · akb`;
    akb.put("summary", "Reading the items \u2026");
    const chunks = await akb.every(board, task);
    const all = chunks.flatMap((chunk, k) => chunk.items.map((item, at) => ({ item, i: k * akb.CHUNK + at })));
    const change = (changes) => { state = akb.state.write({ page: "", ...changes }); draw(); };
    const titles = new Map(column.categories.map((one) => [one.name, one.title || one.name]));
    const named = new Map(column.categories.flatMap((group) => group.subcategories.map((one) => [`${group.name}/${one.name}`, one.title || one.name])));

    function fits({ item }) {
      if (state.category && item.category !== state.category) return false;
      if (state.sub && `${item.category}/${item.subcategory}` !== state.sub) return false;
      return !state.q || `${item.id} ${item.question}`.toLowerCase().includes(state.q.toLowerCase());
    }
    const ORDERS = {
      number: ["Number", (a, b) => a.i - b.i], hard: ["Hardest first", (a, b) => (a.item.difficulty?.p ?? 2) - (b.item.difficulty?.p ?? 2) || a.i - b.i],
      easy: ["Easiest first", (a, b) => (b.item.difficulty?.p ?? -1) - (a.item.difficulty?.p ?? -1) || a.i - b.i],
      odd: ["Least discriminating first", (a, b) => (a.item.discrimination?.r ?? 2) - (b.item.discrimination?.r ?? 2) || a.i - b.i],
    };

    function controls() {
      const search = akb.at("q");
      if (document.activeElement !== search) search.value = state.q || "";
      search.oninput = () => change({ q: search.value });
      const focused = document.activeElement?.dataset?.filter;
      const select = (name, label, values, more) => akb.field(label, akb.choice(values, state[name] || values[0][0], (value) => change({ [name]: value, ...more }), { "data-filter": name }));
      const groups = column.categories.filter((one) => !state.category || one.name === state.category);
      akb.put("filters", akb.field("Task", akb.choice(tasks.map((one) => [one.taskslug, `${one.task} ${one.version}`]), task, (value) => { location.hash = `#${new URLSearchParams({ task: value })}`; })),
        select("category", "Category", [["", "All categories"], ...column.categories.map((one) => [one.name, one.title || one.name])], { sub: "" }),
        select("sub", "Subcategory", [["", "All subcategories"], ...groups.flatMap((group) => group.subcategories.map((one) => [`${group.name}/${one.name}`, one.title || one.name]))]),
        select("order", "Order", Object.entries(ORDERS).map(([name, [label]]) => [name, label])));
      if (focused) document.querySelector(`[data-filter=${focused}]`)?.focus();
    }

    function draw() {
      controls();
      const rows = all.filter(fits).sort((ORDERS[state.order] || ORDERS.number)[1]);
      const pages = Math.max(1, Math.ceil(rows.length / PAGE));
      const page = Math.min(pages, Math.max(1, Number(state.page) || 1));
      akb.put("summary", `${akb.count(rows.length)} of ${akb.count(all.length)} items. Difficulty is the share of the board's models that were right, with a 95 % interval; ` +
        "discrimination is the correlation with the rest of the test. An item low in both deserves another look.");
      akb.put("table", akb.table({ caption: pages > 1 ? `Items, page ${page} of ${pages}` : "Items", rows: rows.slice((page - 1) * PAGE, page * PAGE), empty: "No item fits these filters.", class: "items", columns: [
        { key: "i", label: "No.", class: "num", cell: (one) => one.i + 1 },
        { key: "question", label: "Question", head: true, class: "question", cell: ({ item, i }) => akb.link("item", { task, i }, item.question) },
        { key: "sub", label: "Subcategory", class: "sub", cell: ({ item }) => [named.get(`${item.category}/${item.subcategory}`) || item.subcategory, el("br"), el("span", { class: "faint" }, titles.get(item.category) || item.category)] },
        { key: "difficulty", label: "Models right, %", class: "score", axis: akb.axis([0, 1], column.chance), cell: ({ item: { difficulty: d } }) => (d ? akb.interval(d.p, d.low, d.high, [0, 1], column.chance) : akb.none) },
        { key: "r", label: "Discrimination r", class: "num", cell: ({ item: { discrimination: r } }) => (r ? [akb.num(r.r), el("br"), el("span", { class: "faint" }, akb.span([r.low, r.high]))] : akb.none) }] }));
      const step = (to, label) => el("button", { type: "button", disabled: to < 1 || to > pages, onclick: () => { change({ page: String(to) }); akb.at("table").firstChild.focus(); } }, label);
      akb.put("pages", pages > 1 ? [step(page - 1, "\u2190 Earlier"), el("span", null, ` Page ${page} of ${pages} `), step(page + 1, "Later \u2192")] : []);
    }
    draw();
  });
})();
