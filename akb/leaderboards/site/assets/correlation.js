// Correlations across models: the sentence with its warnings, scatter, regret, all pairs as a table and as heat.
"use strict";
(function () {
  const { el } = akb;
  const same = (one, state) => one.x === state.x && one.y === state.y;

  function numbers(pair) {
    const left = (found) => (found ? `${akb.span(found)}${found[2] ? `, lowest without ${found[2]}` : ""}` : akb.none);
    const freed = akb.known(pair.disattenuated) ? `${akb.num(pair.disattenuated)}${pair.shares ? ", were their errors independent; the two share questions" : ""}` : "not known";
    return akb.facts([["Models", pair.n], ["Pearson r", akb.num(pair.pearson)], ["95 % interval (Fisher), over models", akb.span(pair.fisher)], ["95 % interval (BCa bootstrap), over models", akb.span(pair.bca)],
      ["95 % interval over models and questions", pair.joint ? akb.span(pair.joint) : "not known: it takes runs of both"],
      ["p (permutation)", akb.p(pair.p_perm)], ["p after Holm, over the pairs here", akb.p(pair.p_holm)], ["Spearman", `${akb.num(pair.spearman)} (${akb.span(pair.spearman_interval)})`],
      ["Kendall", akb.num(pair.kendall)], ["r with one model left out", left(pair.lomo)], ["r with one family left out", left(pair.lofo)],
      ["r given log size", pair.partial_size ? `${akb.num(pair.partial_size.r)}, p ${akb.p(pair.partial_size.p)}` : "not known"],
      ["r freed of the noise of questions", freed]]);
  }

  function regret(pair) {
    if (!pair.regret) return [];
    const { n, among, losses } = pair.regret, unit = pair.yunit;
    const room = akb.domain([0, ...losses.flatMap((one) => [one.low, one.high, one.loss])], unit === "%" ? 2 : 0);
    const lost = unit === "%" ? "Points" : "Units";
    return [el("h2", null, "The decision: what choosing by a predictor costs"), el("p", null, `${lost} of ${pair.y} that are lost against the best candidate when the one is taken that the predictor puts first: ` +
      `the mean over all choices among ${among} of the ${n} models that have ${pair.y} and every predictor here. 0: always the best; chance: any candidate.`),
      akb.table({ caption: `Regret for ${pair.y}, ${unit === "%" ? "in points" : "in its own unit"}, with 95 % interval`, rows: losses, sort: { key: "loss", down: false }, columns: [
        { key: "predictor", label: "Predictor", head: true, class: "name", value: (one) => one.predictor },
        { key: "loss", label: `${lost} lost`, class: "score", value: (one) => one.loss, axis: akb.axis(room, 0, akb.tick),
          cell: (one) => akb.interval(one.loss, one.low, one.high, room, 0, (x) => akb.value(x, unit), (low, high) => akb.values(low, high, unit)) }] })];
  }

  const open = (pair) => akb.address("correlation", { x: pair.x, y: pair.y });

  function table(pairs) {
    const spans = (pair, digits) => akb.span(pair, digits);
    const both = (value, interval) => [akb.num(value), el("br"), el("span", { class: "faint" }, spans(interval))];
    return akb.table({ caption: "All pairs: r over the models, with 95 % intervals; p by permutation, and after Holm over the pairs here", rows: pairs, columns: [
      { key: "pair", label: "Pair", head: true, class: "name", value: (one) => `${one.x} ~ ${one.y}`, cell: (one) => el("a", { href: open(one) }, `${one.x} ~ ${one.y}`) },
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
      akb.fail("This board shows no correlations: data/correlation.js is not in the folder. They are written where four models or more have results in a text column and in one that is not text, or where a table of results was given (--correlate).");
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
