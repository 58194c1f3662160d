// One model: categories, subcategories, against the others, hardest, runs and their settings.
"use strict";
(function () {
  const { el, svg } = akb;
  const title = (node) => node.title || node.name;

  // categories: point and 95 % interval, and those of another model below each; where there is little room, names stand above
  function plot(column, model, other) {
    const rows = column.categories.map((one) => ({ one, a: akb.own(akb.result(model, column.key)?.categories, one.name),
      b: other && akb.own(akb.result(other, column.key)?.categories, one.name) }));
    const room = akb.domain([column.chance, ...rows.flatMap((row) => [row.a, row.b]).flatMap((r) => [r?.low, r?.high])]);
    const told = rows.map((row) => `${title(row.one)}: ${akb.pct(row.a?.accuracy)} (${akb.range(row.a?.low, row.a?.high)}), n ${row.one.n}`).join("; ");
    const whisker = (x, r, y, kind) => (r ? [svg("line", { x1: x(r.low), x2: x(r.high), y1: y, y2: y, class: `whisker ${kind}` }),
      [r.low, r.high].map((end) => svg("line", { x1: x(end), x2: x(end), y1: y - 4, y2: y + 4, class: `whisker ${kind}` })),
      kind ? svg("rect", { x: x(r.accuracy) - 4, y: y - 4, width: 8, height: 8, class: `dot ${kind}` }) : svg("circle", { cx: x(r.accuracy), cy: y, r: 4.5, class: "dot" })] : null);
    const draw = (wide) => {
      const narrow = wide < 480, left = narrow ? 12 : 176, above = narrow ? 18 : 0;
      const step = (other ? 40 : 30) + above, top = 10, bottom = top + rows.length * step;
      const x = akb.scale(...room, left, wide - 20);
      const label = (one, y) => (narrow ? svg("text", { x: left, y: y - step / 2 + 12, class: "label" }, `${akb.short(title(one), 36)} (n ${one.n})`)
        : svg("text", { x: left - 10, y: y + 4, class: "label end" }, `${akb.short(title(one), 18)} (n ${one.n})`));
      return svg("svg", { class: "plot", viewBox: `0 0 ${wide} ${bottom + 44}`, role: "img", "aria-labelledby": "cat-title cat-desc" },
        svg("title", { id: "cat-title" }, `Accuracy by category of ${model.name}${other ? ` and ${other.name}` : ""}`), svg("desc", { id: "cat-desc" }, told),
        akb.ticks(...room, narrow ? 4 : 6).map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: top, y2: bottom, class: "grid" }), svg("text", { x: x(tick), y: bottom + 16, class: "tick" }, +(100 * tick).toFixed(1))]),
        akb.known(column.chance) ? svg("line", { x1: x(column.chance), x2: x(column.chance), y1: top, y2: bottom, class: "chance" }) : null,
        rows.map((row, i) => {
          const y = top + (i + 0.5) * step, line = y + above / 2;
          return [label(row.one, y), whisker(x, row.a, other ? line - 8 : line, ""), other ? whisker(x, row.b, line + 8, "other") : null];
        }),
        svg("text", { x: (left + wide - 20) / 2, y: bottom + 36, class: "tick" }, "Accuracy, %, with 95 % interval; dashed: chance"));
    };
    const legend = other ? el("p", { class: "legend" }, el("span", { class: "key" }, "\u25cf "), model.name, "  ", el("span", { class: "key other" }, "\u25a0 "), other.name) : null;
    return el("figure", null, akb.plot("Accuracy by category", draw), legend ? el("figcaption", null, legend) : null);
  }

  function heat(column, result) {
    const read = akb.at("heat-read");
    const say = (text) => () => { read.textContent = text; };
    const groups = column.categories.map((group) => el("div", { class: "heatgroup" }, el("h3", null, title(group)), el("ul", { class: "heat" }, group.subcategories.map((one) => {
      const r = akb.own(result.subcategories, `${group.name}/${one.name}`);
      const text = r ? `${title(one)}: shrunk ${akb.pct(r.shrunk)} (${akb.range(r.shrunk_low, r.shrunk_high)}), as counted ${akb.pct(r.accuracy)} (${akb.range(r.low, r.high)}), n ${r.n}` : `${title(one)}: not asked`;
      const cell = el("li", null, el("button", { type: "button", class: "cell", title: text, onfocus: say(text), onmouseenter: say(text), onclick: say(text) },
        el("b", null, r && akb.known(r.shrunk) ? Math.round(100 * r.shrunk) : akb.none), " ", el("span", null, title(one))));
      if (r && akb.known(r.shrunk)) akb.tint(cell.firstChild, akb.heat(r.shrunk));
      return cell;
    }))));
    const rows = column.categories.flatMap((group) => group.subcategories.map((one) => ({ group, one, r: akb.own(result.subcategories, `${group.name}/${one.name}`) }))).filter((row) => row.r);
    const room = akb.domain([column.chance, ...rows.flatMap(({ r }) => [r.low, r.high])]);
    const table = akb.table({ caption: "Subcategories: as counted, and shrunk towards their mean (beta-binomial), with 95 % intervals", rows, columns: [
      { key: "name", label: "Subcategory", head: true, value: (row) => title(row.one) }, { key: "group", label: "Category", value: (row) => title(row.group) },
      { key: "n", label: "n", class: "num", value: (row) => row.r.n },
      { key: "shrunk", label: "Shrunk, %", class: "score", value: ({ r }) => r.shrunk, axis: akb.axis(room, column.chance), cell: ({ r }) => akb.interval(r.shrunk, r.shrunk_low, r.shrunk_high, room, column.chance) },
      { key: "accuracy", label: "As counted, %", class: "score", value: ({ r }) => r.accuracy, axis: akb.axis(room, column.chance), cell: ({ r }) => akb.interval(r.accuracy, r.low, r.high, room, column.chance) }] });
    return [akb.ramp(0, 1, akb.heat, "0 %", "100 %, shrunk accuracy"), el("div", { class: "heatgroups" }, groups), el("details", null, el("summary", null, "As a table"), table)];
  }

  function versus(board, column, data) {
    const found = Object.entries(akb.own(data.versus, column.key) || {}).map(([slug, one]) => ({ slug, ...one, name: akb.model(board, slug)?.name || slug }));
    if (!found.length) return el("p", null, "No comparison with another model was computed.");
    const room = akb.domain([0, ...found.flatMap((one) => [one.low, one.high])]);
    return akb.table({ caption: "This model less the other, in points, on the same items, with 95 % interval; p is not corrected for how many pairs stand here", rows: found, sort: { key: "difference", down: false }, columns: [
      { key: "name", label: "Other model", head: true, class: "name", value: (one) => one.name, cell: (one) => akb.link("model", { m: one.slug, col: column.key }, one.name) },
      { key: "difference", label: "Difference, points", class: "score", down: true, value: (one) => one.difference, axis: akb.axis(room, 0), cell: (one) => akb.interval(one.difference, one.low, one.high, room, 0, akb.points) },
      { key: "p", label: "p", class: "num", value: (one) => one.p, cell: (one) => akb.p(one.p) }] });
  }

  function hardest(board, column, data) {
    const names = new Map(column.categories.flatMap((group) => group.subcategories.flatMap((one) => [[`${group.name}/${one.name}`, `${title(one)} (${title(group)})`], [one.name, `${title(one)} (${title(group)})`]])));
    const found = akb.own(data.hardest, column.key) || [];
    if (!found.length) return el("p", null, "Not computed for this column.");
    return akb.table({ caption: "Probability of being among this model's five hardest subcategories (bootstrap)", rows: found, sort: { key: "probability", down: true }, columns: [
      { key: "name", label: "Subcategory", head: true, value: (one) => names.get(one.name) || one.name },
      { key: "probability", label: "Probability, %", class: "score", down: true, value: (one) => one.probability, axis: akb.axis([0, 1]), cell: (one) => akb.interval(one.probability, null, null, [0, 1], null, (x) => akb.pct(x, 0)) }] });
  }

  function runs(data, column) {
    if (!data.runs.length) return el("p", null, "No run is recorded.");
    const facts = (values) => Object.entries(values || {}).map(([name, value]) => [name, akb.plain(value)]);
    return data.runs.map((run) => el("details", { open: run.key === column.key }, el("summary", null, `${run.key}, started ${run.started}`),
      el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Run ${run.key}` },
        akb.facts([["seconds", akb.num(run.seconds, 1)], ["akb", akb.plain(run.akb)], ["identity (SHA-256)", akb.plain(run.identity_sha256)]], "Run"),
        akb.facts(facts(run.settings), "Settings"), akb.facts(facts(run.environment), "Environment"), akb.facts(facts(run.usage), "Usage"))));
  }

  function facts(board, model, column, result) {
    const about = [["Family", akb.plain(model.family)], ["Size", akb.size(model.params_b)], ["Access", akb.plain(model.access)], ["Repository", model.repository ? akb.web(model.repository) : akb.none]];
    if (!result) return akb.facts(about);
    return akb.facts([...about, ["Accuracy", `${akb.pct(result.accuracy)} (95 % interval ${akb.range(result.low, result.high)}), n ${akb.count(result.n)}`],
      ["Wilson's interval", akb.range(...(result.wilson || []))], ["Rank", `${akb.rank(result.rank)} (point: ${akb.plain(result.rank_point)})`],
      ["Macro over categories", akb.pct(result.macro)], ["Over chance", akb.pct(result.chance_corrected)], ["Coverage", akb.pct(result.coverage)], ["Unreadable", akb.pct(result.not_ok)],
      ["Answers by status", Object.entries(result.statuses || {}).map(([name, n]) => `${name} ${n}`).join(", ") || akb.none]]);
  }

  akb.start(async (board, state) => {
    const model = akb.model(board, state.m) || (state.m ? null : board.models[0]);
    if (!model) throw new Error(`The board has no model "${state.m}".`);
    const column = board.columns.find((one) => one.key === state.col) || board.columns.find((one) => akb.result(model, one.key)) || board.columns[0];
    const result = akb.result(model, column.key);
    const other = state.vs ? akb.model(board, state.vs) : null;
    const go = (changes) => { location.hash = `#${new URLSearchParams({ ...akb.state.read(), ...changes })}`; };
    document.title = `${model.name} · akb`;
    akb.put("title", model.name);
    akb.put("pick", akb.field("Model", akb.choice(board.models.map((one) => [one.slug, one.name]), model.slug, (m) => go({ m }))),
      akb.field("Column", akb.choice(board.columns.map((one) => [one.key, akb.columnName(one)]), column.key, (col) => go({ col }))),
      akb.field("Beside it", akb.choice([["", "no other model"], ...board.models.filter((one) => one !== model).map((one) => [one.slug, one.name])], state.vs || "", (vs) => go({ vs }))));
    akb.put("facts", facts(board, model, column, result));
    const notes = [...(model.notes || []), ...(result?.flags || [])];
    akb.put("flags", notes.length ? [el("h2", null, "To note"), akb.list(notes)] : []);
    akb.at("scored").hidden = !result;
    if (!result) akb.fail(`${model.name} has no result in ${akb.columnName(column)}; choose another column.`);
    else {
      akb.put("categories", plot(column, model, other && akb.result(other, column.key) ? other : null));
      akb.put("heat", heat(column, result));
    }
    const data = await akb.load(`models/${model.slug}`);
    akb.put("versus", versus(board, column, data));
    akb.put("hardest", hardest(board, column, data));
    akb.put("runs", runs(data, column));
  });
})();
