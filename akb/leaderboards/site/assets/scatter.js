// A scatter of models: error bars both ways, a label by each point where there is room, shape and colour by family.
"use strict";
(function () {
  const { el, svg } = akb;
  const LEFT = 58, RIGHT = 16, TOP = 14, BOTTOM = 56;

  // labels on the first free place around their point, if there is one clear of error bars as well; none where all are taken
  function labels(points, bars, wide, high) {
    const taken = points.map((one) => ({ x0: one.px - 7, x1: one.px + 7, y0: one.py - 7, y1: one.py + 7 }));
    const cross = (a, all) => all.some((b) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1);
    const inside = (box) => box.x0 >= LEFT && box.x1 <= wide - 4 && box.y0 >= 0 && box.y1 <= high - BOTTOM;
    return points.map((one) => {
      const text = akb.short(one.name, 28);
      const size = text.length * 6.6;
      const places = [[8, -6], [8, 16], [-8 - size, -6], [-8 - size, 16], [-size / 2, -10], [-size / 2, 20], [10, 4], [-10 - size, 4]]
        .map(([dx, dy]) => ({ x0: one.px + dx, x1: one.px + dx + size, y0: one.py + dy - 10, y1: one.py + dy + 3 }))
        .filter((box) => inside(box) && !cross(box, taken));
      const box = places.find((place) => !cross(place, bars)) || places[0];
      if (!box) return null;
      taken.push(box);
      return svg("text", { x: box.x0, y: box.y1 - 3, class: "label" }, text);
    });
  }

  function frame(x, y, xs, ys, pair, wide, high) {
    const named = (name, unit, room) => (unit ? `${akb.short(name, room - unit.length - 2)}, ${unit}` : akb.short(name, room));
    const across = wide - RIGHT - LEFT, up = high - BOTTOM - TOP;
    return [akb.ticks(...xs, across / 80).map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: TOP, y2: high - BOTTOM, class: "grid" }), svg("text", { x: x(tick), y: high - BOTTOM + 17, class: "tick" }, akb.tick(tick))]),
      akb.ticks(...ys, up / 60).map((tick) => [svg("line", { x1: LEFT, x2: wide - RIGHT, y1: y(tick), y2: y(tick), class: "grid" }), svg("text", { x: LEFT - 7, y: y(tick) + 4, class: "tick end" }, akb.tick(tick))]),
      svg("text", { x: LEFT + across / 2, y: high - 14, class: "axisname" }, named(pair.x, pair.xunit, across / 7.5)),
      svg("text", { transform: `translate(16,${TOP + up / 2}) rotate(-90)`, class: "axisname" }, named(pair.y, pair.yunit, up / 7.5))];
  }

  akb.scatter = (pair) => {
    const all = pair.points.filter((one) => akb.known(one.x) && akb.known(one.y)).map((one) => ({ ...one, family: one.family || "not known" }));
    const looks = akb.looks(all.map((one) => one.family));
    const shown = (one, axis) => {
      const unit = pair[`${axis}unit`], ends = akb.values(one[`${axis}low`], one[`${axis}high`], unit);
      return `${akb.value(one[axis], unit)}${unit ? ` ${unit}` : ""}${ends === akb.none ? "" : ` (${ends})`}`;
    };
    const told = (one) => `${one.name} (${one.family}): ${pair.x} ${shown(one, "x")}, ${pair.y} ${shown(one, "y")}`;
    const about = `r = ${akb.num(pair.pearson)}, 95 % interval ${akb.span(pair.fisher)}, n = ${pair.n} models`;
    const least = (unit) => (unit === "%" ? 2 : 0);
    const xs = akb.domain(all.flatMap((one) => [one.x, one.xlow, one.xhigh]), least(pair.xunit)), ys = akb.domain(all.flatMap((one) => [one.y, one.ylow, one.yhigh]), least(pair.yunit));
    const both = (one, axis) => akb.known(one[`${axis}low`]) && akb.known(one[`${axis}high`]);
    const draw = (wide) => {
      const high = Math.min(480, Math.max(320, Math.round(wide * 0.9)));
      const x = akb.scale(...xs, LEFT, wide - RIGHT), y = akb.scale(...ys, high - BOTTOM, TOP);
      const points = all.map((one) => ({ ...one, px: x(one.x), py: y(one.y) }));
      const spans = points.flatMap((one) => [both(one, "x") ? { x0: x(one.xlow), x1: x(one.xhigh), y0: one.py - 1, y1: one.py + 1 } : null,
        both(one, "y") ? { x0: one.px - 1, x1: one.px + 1, y0: y(one.yhigh), y1: y(one.ylow) } : null]).filter(Boolean);
      const bars = points.map((one) => [both(one, "x") ? svg("line", { x1: x(one.xlow), x2: x(one.xhigh), y1: one.py, y2: one.py, class: "error" }) : null,
        both(one, "y") ? svg("line", { x1: one.px, x2: one.px, y1: y(one.ylow), y2: y(one.yhigh), class: "error" }) : null]);
      const marks = points.map((one) => {
        const mark = akb.mark(looks.get(one.family), one.px, one.py);
        mark.append(svg("title", null, told(one)));
        return mark;
      });
      return svg("svg", { class: "plot", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-labelledby": "sc-title sc-desc" },
        svg("title", { id: "sc-title" }, `${pair.y} against ${pair.x}; ${about}`), svg("desc", { id: "sc-desc" }, points.map(told).join("; ")),
        frame(x, y, xs, ys, pair, wide, high), bars, marks, labels(points, spans, wide, high));
    };
    const legend = el("ul", { class: "families" }, [...looks].map(([family, look]) => el("li", null, svg("svg", { width: 16, height: 16, viewBox: "-8 -8 16 16", "aria-hidden": "true" }, akb.mark(look, 0, 0)), ` ${family}`)));
    const barred = all.some((one) => both(one, "x") || both(one, "y"));
    const values = akb.table({ caption: `The points${barred ? ", with 95 % intervals" : ""}`, rows: all, sort: { key: "x", down: true }, columns: [
      { key: "name", label: "Model", head: true, class: "name", value: (one) => one.name }, { key: "family", label: "Family", class: "family", value: (one) => one.family },
      { key: "x", label: pair.x, class: "num", down: true, value: (one) => one.x, cell: (one) => shown(one, "x") },
      { key: "y", label: pair.y, class: "num", down: true, value: (one) => one.y, cell: (one) => shown(one, "y") }] });
    return el("figure", null, akb.plot("Scatter plot", draw), el("figcaption", null, el("p", null, `Each point is a model (${about}).${barred ? " Bars are 95 % intervals over items." : ""}`), legend),
      el("details", null, el("summary", null, "The points as a table"), values));
  };
})();
