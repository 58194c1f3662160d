// Plots as SVG: scales with round ticks, intervals in cells, colours and shapes that differ without colour, heat.
"use strict";
(function () {
  const { el, svg } = akb;
  // Okabe and Ito's colours without black and yellow; every mark has a dark or light rim, and a shape of its own
  const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1"];
  const SHAPES = ["circle", "square", "triangle", "diamond", "down", "plus", "cross", "star"];
  const polygon = (points) => `M${points.map(([x, y]) => `${x},${y}`).join("L")}Z`;
  const star = Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 2.8 : 6.5;
    return [+(r * Math.sin(i * Math.PI / 5)).toFixed(2), +(-r * Math.cos(i * Math.PI / 5)).toFixed(2)];
  });
  const plus = [[-2, -6], [2, -6], [2, -2], [6, -2], [6, 2], [2, 2], [2, 6], [-2, 6], [-2, 2], [-6, 2], [-6, -2], [-2, -2]];
  const turned = plus.map(([x, y]) => [+((x - y) * 0.707).toFixed(2), +((x + y) * 0.707).toFixed(2)]);
  const PATHS = {
    circle: "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0Z", square: "M-4.6,-4.6H4.6V4.6H-4.6Z", triangle: "M0,-6L5.6,4.4H-5.6Z",
    diamond: "M0,-6.4L5.2,0L0,6.4L-5.2,0Z", down: "M0,6L5.6,-4.4H-5.6Z", plus: polygon(plus), cross: polygon(turned), star: polygon(star),
  };

  // a look (shape and colour) for each family, the same on every page: families in order of name
  akb.looks = (families) => new Map([...new Set(families)].sort().map((name, i) =>
    [name, { shape: SHAPES[i % 8], colour: COLOURS[(i + Math.floor(i / 8) * 3) % 7] }]));
  akb.mark = (look, x, y) => svg("path", { d: PATHS[look.shape], fill: look.colour, class: "point", transform: `translate(${x.toFixed(1)},${y.toFixed(1)})` });

  akb.ticks = (low, high, wanted = 5) => {
    const raw = (high - low) / wanted || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    return Array.from({ length: Math.max(0, Math.floor(high / step + 1e-9) - first + 1) }, (_, i) => +((first + i) * step).toPrecision(10));
  };
  akb.scale = (low, high, from, to) => (x) => from + ((x - low) / (high - low || 1)) * (to - from);
  // the range of all known numbers, a little wider
  akb.domain = (numbers, least = 0.02) => {
    const found = numbers.filter(akb.known);
    if (!found.length) return [0, 1];
    const low = Math.min(...found), high = Math.max(...found);
    const room = Math.max((high - low) * 0.06, least / 2);
    return [low - room, high + room];
  };

  // a plot in a box of its own: draw(width) makes the picture for the width there is, and again when that changes
  akb.plot = (label, draw) => {
    const box = el("div", { class: "plotbox", role: "group", "aria-label": label });
    let drawn = 0;
    const fit = () => {
      if (!box.isConnected) return window.removeEventListener("resize", fit);
      const wide = Math.max(280, box.clientWidth);
      if (wide !== drawn) akb.put(box, draw(wide));
      drawn = wide;
    };
    window.addEventListener("resize", fit);
    queueMicrotask(fit); // by then the box is on the page
    return box;
  };

  const W = 128;
  akb.axis = (domain, mark, show = (x) => String(+(100 * x).toFixed(1)).replace("-", "\u2212")) => {
    const x = akb.scale(...domain, 8, W - 8);
    const marks = akb.ticks(...domain, 4).map((tick) => [svg("line", { x1: x(tick), x2: x(tick), y1: 0, y2: 4, class: "axis" }),
      svg("text", { x: x(tick), y: 15, class: "tick" }, show(tick))]);
    return svg("svg", { class: "cellaxis", width: W, height: 18, viewBox: `0 0 ${W} 18`, "aria-hidden": "true" },
      svg("line", { x1: 0, x2: W, y1: 0.5, y2: 0.5, class: "axis" }), marks,
      akb.known(mark) ? svg("line", { x1: x(mark), x2: x(mark), y1: 0, y2: 6, class: "chance" }) : null);
  };
  // point and interval on the axis of the column; the same numbers stand beside it as text
  akb.bar = (value, low, high, domain, mark, told) => {
    const held = Math.max(domain[0], Math.min(domain[1], value));
    const x = akb.scale(...domain, 8, W - 8);
    if (!akb.known(value)) return null;
    const whole = akb.known(low) && akb.known(high);
    return svg("svg", { class: "bar", width: W, height: 18, viewBox: `0 0 ${W} 18`, "aria-hidden": "true" },
      svg("title", null, told),
      akb.known(mark) ? svg("line", { x1: x(mark), x2: x(mark), y1: 0, y2: 18, class: "chance" }) : null,
      whole ? svg("line", { x1: x(low), x2: x(high), y1: 9, y2: 9, class: "whisker" }) : null,
      whole ? [low, high].map((end) => svg("line", { x1: x(end), x2: x(end), y1: 5.5, y2: 12.5, class: "whisker" })) : null,
      svg("circle", { cx: x(held), cy: 9, r: 3.6, class: "dot" }));
  };
  // number, interval and bar of one result
  akb.interval = (value, low, high, domain, mark, show = akb.pct, spans = akb.range) => el("div", { class: "withbar" },
    el("span", { class: "value" }, show(value), " ", el("span", { class: "faint" }, akb.known(low) ? `(${spans(low, high)})` : "")),
    akb.bar(value, low, high, domain, mark, akb.known(low) ? `${show(value)}, interval ${spans(low, high)}` : show(value)));

  const RAMP = [[0, 34, 78], [53, 69, 108], [102, 105, 112], [148, 142, 119], [200, 184, 102], [254, 232, 56]];
  const BLUE = [[33, 102, 172], [146, 197, 222], [247, 247, 247], [244, 165, 130], [178, 24, 43]];
  function between(ramp, share) {
    const at = Math.max(0, Math.min(1, share)) * (ramp.length - 1);
    const i = Math.min(ramp.length - 2, Math.floor(at));
    return ramp[i].map((low, k) => Math.round(low + (ramp[i + 1][k] - low) * (at - i)));
  }
  function bright(rgb) {
    const [r, g, b] = rgb.map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  const pair = (rgb) => ({ back: `rgb(${rgb.join(",")})`, text: bright(rgb) > 0.179 ? "#000" : "#fff" });
  // heat for a share from 0 to 1 (cividis-like: dark blue to yellow), and for a correlation from -1 to 1 (blue, white, red)
  akb.heat = (share) => pair(between(RAMP, share));
  akb.heatSigned = (r) => pair(between(BLUE, (r + 1) / 2));
  akb.tint = (node, colours) => {
    node.style.backgroundColor = colours.back;
    node.style.color = colours.text;
    return node;
  };
  akb.ramp = (low, high, heat, left, right) => el("p", { class: "ramp" }, left, " ",
    el("span", { class: "steps", "aria-hidden": "true" }, Array.from({ length: 12 }, (_, i) => akb.tint(el("i"), heat(low + (high - low) * i / 11)))), " ", right);
})();
