// Correlations across models: the sentence with its warnings, scatter, regret, all pairs as a table and as heat.
"use strict";
(function () {
  const { el } = akb;
  const same = (one, state) => one.x === state.x && one.y === state.y;

  function numbers(pair) {
    const lofo = pair.lofo ? `${akb.span(pair.lofo)}${pair.lofo[2] ? `, lowest without ${pair.lofo[2]}` : ""}` : akb.none;
    return akb.facts([["Models", pair.n], ["Pearson r", akb.num(pair.pearson)], ["95 % interval (Fisher)", akb.span(pair.fisher)], ["95 % interval (BCa bootstrap)", akb.span(pair.bca)],
      ["p (permutation)", akb.p(pair.p_perm)], ["p after Holm, over the pairs here", akb.p(pair.p_holm)], ["Spearman", `${akb.num(pair.spearman)} (${akb.span(pair.spearman_interval)})`],
      ["Kendall", akb.num(pair.kendall)], ["r with one family left out", lofo],
      ["r given log size", pair.partial_size ? `${akb.num(pair.partial_size.r)}, p ${akb.p(pair.partial_size.p)}` : "not known"]]);
  }

  function regret(pair) {
    if (!pair.regret || !pair.regret.length) return [];
    const room = akb.domain([0, ...pair.regret.flatMap((one) => [one.low, one.high, one.loss])]);
    return [el("h2", null, "The decision: what choosing by a predictor costs"), el("p", null, `Points of ${pair.y} lost against the best model when the one is taken that the predictor puts first; 0 is the best choice.`),
      akb.table({ caption: `Regret for ${pair.y}, in points, with 95 % interval`, rows: pair.regret, sort: { key: "loss", down: false }, columns: [
        { key: "predictor", label: "Predictor", head: true, value: (one) => one.predictor },
        { key: "loss", label: "Points lost", class: "score", value: (one) => one.loss, axis: akb.axis(room, 0), cell: (one) => akb.interval(one.loss, one.low, one.high, room, 0, (x) => akb.points(x).replace("+", "")) }] })];
  }

  const open = (pair) => akb.address("correlation", { x: pair.x, y: pair.y });

  function table(pairs) {
    const spans = (pair, digits) => akb.span(pair, digits);
    const both = (value, interval) => [akb.num(value), el("br"), el("span", { class: "faint" }, spans(interval))];
    return akb.table({ caption: "All pairs: r over the models, with 95 % intervals; p by permutation, and after Holm over the pairs here", rows: pairs, columns: [
      { key: "pair", label: "Pair", head: true, value: (one) => `${one.x} ~ ${one.y}`, cell: (one) => el("a", { href: open(one) }, `${one.x} ~ ${one.y}`) },
      { key: "n", label: "n", class: "num", value: (one) => one.n },
      { key: "pearson", label: "Pearson (Fisher)", class: "num", down: true, value: (one) => one.pearson, cell: (one) => both(one.pearson, one.fisher) },
      { key: "bca", label: "BCa", class: "num", value: (one) => one.bca?.[0], cell: (one) => spans(one.bca) },
      { key: "spearman", label: "Spearman", class: "num", down: true, value: (one) => one.spearman, cell: (one) => both(one.spearman, one.spearman_interval) },
      { key: "kendall", label: "Kendall", class: "num", down: true, value: (one) => one.kendall, cell: (one) => akb.num(one.kendall) },
      { key: "lofo", label: "One family left out", class: "num", value: (one) => one.lofo?.[0], cell: (one) => spans(one.lofo) },
      { key: "p_perm", label: "p", class: "num", value: (one) => one.p_perm, cell: (one) => akb.p(one.p_perm) },
      { key: "p_holm", label: "p after Holm", class: "num", value: (one) => one.p_holm, cell: (one) => akb.p(one.p_holm) }] });
  }

  function heat(pairs) {
    const names = [...new Set(pairs.flatMap((one) => [one.x, one.y]))];
    const find = (a, b) => pairs.find((one) => (one.x === a && one.y === b) || (one.x === b && one.y === a));
    const cell = (a, b) => {
      const found = find(a, b);
      if (!found || !akb.known(found.pearson)) return el("td", { class: "none" }, a === b ? "" : akb.none);
      const told = `${found.x} ~ ${found.y}: r ${akb.num(found.pearson)}, 95 % interval ${akb.span(found.fisher)}, n ${found.n}`;
      return akb.tint(el("td", { title: told }, el("a", { href: open(found), "aria-label": told }, akb.num(found.pearson))), akb.heatSigned(found.pearson));
    };
    const caption = "Pearson r of each pair; n and interval on hover, on focus and in the table below";
    return [akb.ramp(-1, 1, akb.heatSigned, "\u22121", "+1"), el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": caption }, el("table", { class: "matrix" }, el("caption", null, caption),
      el("thead", null, el("tr", null, el("td"), names.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", null, names.map((a) => el("tr", null, el("th", { scope: "row" }, a), names.map((b) => cell(a, b)))))))];
  }

  akb.start(async (board, state) => {
    let found;
    try {
      found = await akb.load("correlation");
    } catch {
      akb.at("there").hidden = true;
      akb.fail("This board shows no correlations: data/correlation.js is not in the folder. They are written where the same models have results in two columns at least, or where a table of results was given.");
      return;
    }
    if (!found.pairs.length) {
      akb.at("there").hidden = true;
      akb.fail("This board shows no correlations: no two columns have three models in common.");
      return;
    }
    const pair = found.pairs.find((one) => same(one, state)) || found.pairs[0];
    akb.put("source", `Source: ${found.source}`);
    akb.put("pick", akb.field("Pair", akb.choice(found.pairs.map((one, i) => [String(i), `${one.x} ~ ${one.y}`]), String(found.pairs.indexOf(pair)), (i) => {
      const wanted = found.pairs[Number(i)];
      location.hash = `#${new URLSearchParams({ x: wanted.x, y: wanted.y })}`;
    })));
    akb.put("sentence", pair.sentence);
    akb.put("warnings", (pair.warnings || []).length ? [el("h2", null, "Before you quote it"), akb.list(pair.warnings)] : []);
    akb.put("scatter", pair.points?.length ? akb.scatter(pair) : el("p", null, "The points are not in the data."));
    akb.put("numbers", numbers(pair));
    akb.put("regret", regret(pair));
    akb.put("heat", heat(found.pairs));
    akb.put("table", table(found.pairs));
  });
})();
