// The board: one column ranks; the others stand beside it and are never mixed into its ranks.
"use strict";
(function () {
  const { el } = akb;
  const SIZES = [["", "Any size"], ["0-4", "up to 4 B"], ["4-8", "over 4 to 8 B"], ["8-20", "over 8 to 20 B"], ["20-", "over 20 B"], ["none", "not known"]];

  function fits(model, state) {
    if (state.q && !model.name.toLowerCase().includes(state.q.toLowerCase())) return false;
    if (state.family && model.family !== state.family) return false;
    if (state.access && model.access !== state.access) return false;
    if (!state.size) return true;
    if (state.size === "none") return !akb.known(model.params_b);
    const [low, high] = state.size.split("-").map(Number);
    return akb.known(model.params_b) && (model.params_b > low || (low === 0 && model.params_b >= 0)) && (!high || model.params_b <= high);
  }

  const columnsOf = (board, state) => board.columns.filter((one) =>
    (!state.setting || one.setting === state.setting) && (!state.protocol || one.protocol === state.protocol));

  async function settings(model, key) {
    const dialog = akb.at("settings");
    const head = el("h2", { id: "settings-title" }, `Settings of ${model.name}`);
    const close = el("form", { method: "dialog" }, el("button", null, "Close"));
    let found;
    try {
      const data = await akb.load(`models/${model.slug}`);
      const runs = data.runs.filter((run) => run.key === key);
      found = runs.length ? runs.map((run) => akb.facts([["started", run.started], ["akb", run.akb], ["identity", run.identity_sha256],
        ...Object.entries(run.settings).map(([name, value]) => [name, akb.plain(value)])], run.key)) : [el("p", null, "No run is recorded for this column.")];
    } catch (error) {
      found = [el("p", { class: "problem" }, error.message)];
    }
    akb.put(dialog, head, el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Settings" }, found), close);
    close.addEventListener("submit", (event) => { event.preventDefault(); dialog.close(); });
    dialog.showModal();
  }

  function columns(board, chosen, shown, rows) {
    const of = (column) => (model) => akb.result(model, column.key);
    const mine = of(chosen);
    const domain = (column) => akb.domain([column.chance, ...rows.flatMap((one) => [of(column)(one)?.low, of(column)(one)?.high])]);
    const share = (key, label, title) => ({ key, label, title, class: "num", down: true, value: (m) => mine(m)?.[key], cell: (m) => akb.pct(mine(m)?.[key]) });
    const score = (column, key, label, title) => {
      const room = domain(column);
      return { key, label, title, down: true, class: "score", value: (m) => of(column)(m)?.accuracy, axis: akb.axis(room, column.chance),
        cell: (m) => { const r = of(column)(m); return r ? akb.interval(r.accuracy, r.low, r.high, room, column.chance) : akb.none; } };
    };
    const flags = (m) => [...(mine(m)?.flags || []), ...(m.notes || [])];
    return [
      { key: "rank", label: "Rank", class: "num", title: "95 % interval of the rank in the column that ranks", value: (m) => mine(m)?.rank_point, cell: (m) => akb.rank(mine(m)?.rank) },
      { key: "name", label: "Model", head: true, class: "name", value: (m) => m.name, cell: (m) => [akb.link("model", { m: m.slug, col: chosen.key }, m.name), " ",
        mine(m) ? el("button", { type: "button", class: "link settings", "aria-label": `Settings of ${m.name}`, onclick: () => settings(m, chosen.key) }, "Settings") : null] },
      score(chosen, "accuracy", "Accuracy, %", `${akb.columnName(chosen)}; point, 95 % interval, dashed line at chance`),
      { key: "flags", label: "Flags", class: "flags", down: true, value: (m) => flags(m).length,
        cell: (m) => (flags(m).length ? el("details", null, el("summary", null, `${flags(m).length} to note`), akb.list(flags(m))) : akb.none) },
      { key: "family", label: "Family", class: "family", value: (m) => m.family },
      { key: "size", label: "Size", class: "num", title: "parameters; \u2013 where not known", value: (m) => m.params_b, cell: (m) => (akb.known(m.params_b) ? akb.size(m.params_b) : akb.none) },
      { key: "access", label: "Access", value: (m) => m.access },
      share("coverage", "Coverage", "share of the items that could be asked and had an answer (no error)"),
      share("not_ok", "Unreadable", "share of answers that are no readable choice (wrong format, refused, empty, truncated, error); they count as wrong"),
      share("chance_corrected", "Over chance", "0 is guessing, 100 % is all right"),
      share("macro", "Macro", "mean over the categories"),
      { key: "n", label: "n", class: "num", down: true, value: (m) => mine(m)?.n, cell: (m) => akb.count(mine(m)?.n) },
      ...shown.filter((one) => one.key !== chosen.key).map((one) => score(one, one.key, akb.columnName(one), "beside, not ranked: point, 95 % interval, dashed line at chance")),
    ];
  }

  const holds = (one) => akb.known(one.p_holm) && one.p_holm < 0.05;

  function neighbours(board, chosen) {
    const found = akb.own(board.families, chosen.key);
    if (!found) return el("p", null, "No comparisons were computed for this column.");
    const name = (slug) => akb.model(board, slug)?.name || slug;
    const room = akb.domain([0, ...found.neighbours.flatMap((one) => [one.low, one.high])]);
    if (!found.neighbours.length) return el("p", null, "One model has results in this column, so there is nothing to compare.");
    const held = found.neighbours.filter(holds).length;
    const facts = [`${held} of the ${found.neighbours.length} gaps between neighbours hold after Holm's correction at 5 %.`,
      found.cochran ? `Cochran's Q over all models but baselines: ${akb.num(found.cochran.q, 1)}, p ${akb.p(found.cochran.p)}.` : "",
      akb.known(found.mdd) ? `A true difference of ${akb.points(found.mdd).replace("+", "")} points is found here with a chance of about 80 % by one test, before Holm; smaller ones are found less often.` : ""];
    return [el("p", null, facts.filter(Boolean).join(" ")), akb.table({
      caption: `Neighbours on the board, ${akb.columnName(chosen)}: difference in points with 95 % interval, on the same items`, rows: found.neighbours,
      columns: [
        { key: "a", label: "Model", head: true, class: "name", cell: (one) => akb.link("model", { m: one.a, col: chosen.key }, name(one.a)), value: (one) => name(one.a) },
        { key: "b", label: "against", class: "name", value: (one) => name(one.b), cell: (one) => akb.link("model", { m: one.b, col: chosen.key }, name(one.b)) },
        { key: "difference", label: "Difference, points", class: "score", down: true, value: (one) => one.difference, axis: akb.axis(room, 0),
          cell: (one) => akb.interval(one.difference, one.low, one.high, room, 0, akb.points) },
        { key: "p", label: "p", class: "num", value: (one) => one.p, cell: (one) => akb.p(one.p) },
        { key: "p_holm", label: "p after Holm", class: "num", value: (one) => one.p_holm, cell: (one) => akb.p(one.p_holm) },
        { key: "holds", label: "Holds", value: (one) => (holds(one) ? 0 : 1), cell: (one) => (holds(one) ? "yes" : "no") },
      ] })];
  }

  const unique = (values) => [...new Set(values.filter((one) => one !== null))].sort();

  akb.start((board, first) => {
    let state = first;
    const change = (changes) => { state = akb.state.write(changes); draw(); };
    akb.put("title", board.title);
    document.title = `${board.title} · akb`;
    akb.put("notes", (board.notes || []).length ? akb.list(board.notes) : null);

    function draw() {
      const shown = columnsOf(board, state);
      const chosen = shown.find((one) => one.key === state.col) || shown[0];
      controls(shown, chosen);
      if (!chosen) {
        akb.put("summary", "No column has this setting and this protocol.");
        akb.put("table");
        akb.put("neighbours");
        return;
      }
      const rows = board.models.filter((one) => fits(one, state));
      const [key, way] = (state.sort || "accuracy.down").split(/\.(?=[^.]*$)/);
      akb.put("summary", `${rows.length} of ${board.models.length} models. Ranked by ${akb.columnName(chosen)}: n = ${akb.count(chosen.n)} items, ` +
        `chance ${akb.pct(chosen.chance)} (dashed line). Bars and numbers in brackets: 95 % intervals. Ranks are 95 % intervals over all models of the column, also where a filter hides some.` +
        (shown.length > 1 ? ` Further to the right, not ranked: ${shown.length - 1} other column${shown.length > 2 ? "s" : ""}.` : ""));
      akb.put("table", akb.table({ caption: `Models, ranked by ${akb.columnName(chosen)}`, class: "board", rows, columns: columns(board, chosen, shown, rows),
        sort: { key, down: way === "down" }, tell: (sort) => { state = akb.state.write({ sort: `${sort.key}.${sort.down ? "down" : "up"}` }); }, empty: "No model fits these filters." }));
      akb.put("neighbours", neighbours(board, chosen));
    }

    function controls(shown, chosen) {
      const search = akb.at("q");
      if (search.value !== (state.q || "") && document.activeElement !== search) search.value = state.q || "";
      search.oninput = () => change({ q: search.value });
      const focused = document.activeElement?.dataset?.filter;
      const select = (name, label, values, now) => akb.field(label, akb.choice(values, now ?? state[name] ?? "", (value) => change({ [name]: value }), { "data-filter": name }));
      const plain = (label, values) => [["", label], ...unique(values).map((one) => [one, one])];
      akb.put("filters", select("col", "Ranked by", shown.map((one) => [one.key, akb.columnName(one)]), chosen?.key),
        select("family", "Family", plain("All families", board.models.map((one) => one.family))),
        select("size", "Size", SIZES),
        select("access", "Access", plain("Any access", board.models.map((one) => one.access))),
        select("setting", "Setting", plain("All settings", board.columns.map((one) => one.setting))),
        select("protocol", "Protocol", plain("All protocols", board.columns.map((one) => one.protocol))));
      if (focused) document.querySelector(`[data-filter=${focused}]`)?.focus();
    }
    akb.at("clear").onclick = () => { akb.at("q").value = ""; change({ q: "", family: "", size: "", access: "", setting: "", protocol: "" }); };
    draw();
  });
})();
