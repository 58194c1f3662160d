// A scatter of models: error bars both ways, a label by each point where there is room, shape and colour by family.
"use strict";
(function () {
  const { el, svg } = akb;
  const WIDE = 680, HIGH = 480, LEFT = 58, RIGHT = 16, TOP = 14, BOTTOM = 56;

  // labels on the first free place around their point, if there is one clear of error bars as well; none where all are taken
  function labels(points, bars) {
    const taken = points.map((one) => ({ x0: one.px - 7, x1: one.px + 7, y0: one.py - 7, y1: one.py + 7 }));
    const cross = (a, all) => all.some((b) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1);
    const inside = (box) => box.x0 >= LEFT && box.x1 <= WIDE - 4 && box.y0 >= 0 && box.y1 <= HIGH - BOTTOM;
    return points.map((one) => {
      const text = one.name.length > 28 ? `${one.name.slice(0, 27)}\u2026` : one.name;
      const wide = text.length * 6.6;
      const places = [[8, -6], [8, 16], [-8 - wide, -6], [-8 - wide, 16], [-wide / 2, -10], [-wide / 2, 20], [10, 4], [-10 - wide, 4]]
        .map(([dx, dy]) => ({ x0: one.px + dx, x1: one.px + dx + wide, y0: one.py + dy - 10, y1: one.py + dy + 3 }))
        .filter((box) => inside(box) && !cross(box, taken));
      const box = places.find((place) => !cross(place, bars)) || places[0];
      if (!box) return null;
      taken.push(box);
      return svg("text", { x: box.x0, y: box.y1 - 3, class: "label" }, text);
    });
  }

  function frame(x, y, xs, ys, pair) {
    return [akb.ticks(...xs, 6).map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: TOP, y2: HIGH - BOTTOM, class: "grid" }), svg("text", { x: x(tick), y: HIGH - BOTTOM + 17, class: "tick" }, +(100 * tick).toFixed(1))]),
      akb.ticks(...ys, 6).map((tick) => [svg("line", { x1: LEFT, x2: WIDE - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }), svg("text", { x: LEFT - 7, y: y(tick) + 4, class: "tick end" }, +(100 * tick).toFixed(1))]),
      svg("text", { x: (LEFT + WIDE - RIGHT) / 2, y: HIGH - 14, class: "axisname" }, `${pair.x}, accuracy, %`),
      svg("text", { transform: `translate(16,${(TOP + HIGH - BOTTOM) / 2}) rotate(-90)`, class: "axisname" }, `${pair.y}, accuracy, %`)];
  }

  akb.scatter = (pair) => {
    const all = pair.points.filter((one) => akb.known(one.x) && akb.known(one.y)).map((one) => ({ ...one, family: one.family || "not known" }));
    const xs = akb.domain(all.flatMap((one) => [one.x, one.xlow, one.xhigh])), ys = akb.domain(all.flatMap((one) => [one.y, one.ylow, one.yhigh]));
    const x = akb.scale(...xs, LEFT, WIDE - RIGHT), y = akb.scale(...ys, HIGH - BOTTOM, TOP);
    const points = all.map((one) => ({ ...one, px: x(one.x), py: y(one.y) }));
    const looks = akb.looks(points.map((one) => one.family));
    const told = (one) => `${one.name} (${one.family}): ${pair.x} ${akb.pct(one.x)} (${akb.range(one.xlow, one.xhigh)}), ${pair.y} ${akb.pct(one.y)} (${akb.range(one.ylow, one.yhigh)})`;
    const spans = points.flatMap((one) => [akb.known(one.xlow) ? { x0: x(one.xlow), x1: x(one.xhigh), y0: one.py - 1, y1: one.py + 1 } : null,
      akb.known(one.ylow) ? { x0: one.px - 1, x1: one.px + 1, y0: y(one.yhigh), y1: y(one.ylow) } : null]).filter(Boolean);
    const bars = points.map((one) => [akb.known(one.xlow) && akb.known(one.xhigh) ? svg("line", { x1: x(one.xlow), x2: x(one.xhigh), y1: one.py, y2: one.py, class: "error" }) : null,
      akb.known(one.ylow) && akb.known(one.yhigh) ? svg("line", { x1: one.px, x2: one.px, y1: y(one.ylow), y2: y(one.yhigh), class: "error" }) : null]);
    const marks = points.map((one) => {
      const mark = akb.mark(looks.get(one.family), one.px, one.py);
      mark.append(svg("title", null, told(one)));
      return mark;
    });
    const about = `r = ${akb.num(pair.pearson)}, 95 % interval ${akb.span(pair.fisher)}, n = ${pair.n} models`;
    const picture = svg("svg", { class: "plot", viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-labelledby": "sc-title sc-desc" },
      svg("title", { id: "sc-title" }, `${pair.y} against ${pair.x}; ${about}`), svg("desc", { id: "sc-desc" }, points.map(told).join("; ")),
      frame(x, y, xs, ys, pair), bars, marks, labels(points, spans));
    const legend = el("ul", { class: "families" }, [...looks].map(([family, look]) => el("li", null, svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, akb.mark(look, 0, 0)), ` ${family}`)));
    const values = akb.table({ caption: `The points: accuracy, %, with 95 % intervals`, rows: points, sort: { key: "x", down: true }, columns: [
      { key: "name", label: "Model", head: true, value: (one) => one.name }, { key: "family", label: "Family", value: (one) => one.family },
      { key: "x", label: pair.x, class: "num", down: true, value: (one) => one.x, cell: (one) => `${akb.pct(one.x)} (${akb.range(one.xlow, one.xhigh)})` },
      { key: "y", label: pair.y, class: "num", down: true, value: (one) => one.y, cell: (one) => `${akb.pct(one.y)} (${akb.range(one.ylow, one.yhigh)})` }] });
    return el("figure", null, el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Scatter plot" }, picture), el("figcaption", null, el("p", null, `Each point is a model (${about}). Bars are 95 % intervals over items.`), legend),
      el("details", null, el("summary", null, "The points as a table"), values));
  };
})();
