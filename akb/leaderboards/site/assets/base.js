// What every page uses: making elements (text only, never HTML), writing numbers, safe addresses.
"use strict";
const akb = {};

(function () {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) node.append(child instanceof Node ? child : String(child));
    }
    return node;
  }

  // el("a", {href: "x"}, "text", ...): strings become text nodes, so that no data is ever read as HTML
  akb.el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  akb.svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  akb.at = (id) => document.getElementById(id);
  akb.put = (where, ...children) => {
    const node = typeof where === "string" ? akb.at(where) : where;
    node.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined));
    return node;
  };
  akb.own = (object, key) => (object && Object.hasOwn(object, key) ? object[key] : undefined);

  const known = (x) => typeof x === "number" && Number.isFinite(x);
  const minus = (text) => text.replace("-", "\u2212");
  akb.known = known;
  akb.none = "\u2013";
  akb.pct = (x, digits = 1) => (known(x) ? `${minus((100 * x).toFixed(digits))} %` : akb.none);
  akb.range = (low, high, digits = 1) =>
    known(low) && known(high) ? `${minus((100 * low).toFixed(digits))} to ${minus((100 * high).toFixed(digits))}` : akb.none;
  akb.points = (x) => (known(x) ? (x > 0 ? "+" : "") + minus((100 * x).toFixed(1)) : akb.none);
  // a number of any unit ("%" or none): per cent with one digit, others with at least four that count
  akb.value = (x, unit) => {
    if (!known(x)) return akb.none;
    const digits = Math.max(4, Math.trunc(Math.abs(x)).toString().length);
    return minus(unit === "%" ? x.toFixed(1) : String(+x.toPrecision(Math.min(digits, 17))));
  };
  akb.tick = (x) => minus(String(x));
  akb.values = (low, high, unit) => (known(low) && known(high) ? `${akb.value(low, unit)} to ${akb.value(high, unit)}` : akb.none);
  akb.num = (x, digits = 2) => (known(x) ? minus(x.toFixed(digits)) : akb.none);
  akb.span = (pair, digits = 2) => (pair && known(pair[0]) && known(pair[1]) ? `${akb.num(pair[0], digits)} to ${akb.num(pair[1], digits)}` : akb.none);
  akb.p = (x) => (known(x) ? (x < 0.0001 ? "< .0001" : x.toFixed(4).replace(/^0/, "")) : akb.none);
  akb.size = (b) => (known(b) ? `${b} B` : "not known");
  akb.rank = (pair) => (pair && known(pair[0]) ? (pair[0] === pair[1] ? `${pair[0]}` : `${pair[0]}\u2013${pair[1]}`) : akb.none);
  akb.count = (n) => (known(n) ? n.toLocaleString("en") : akb.none);

  // a link only to a web address; anything else stays text
  akb.web = (text, label) => {
    let found = null;
    try { found = new URL(text); } catch { /* no address */ }
    const good = found && (found.protocol === "https:" || found.protocol === "http:");
    return good ? akb.el("a", { href: found.href, rel: "noreferrer noopener" }, label || text) : document.createTextNode(text);
  };
  // a file beside the page (for audio): its address, or null where it would lead elsewhere
  akb.beside = (text) => {
    if (/^[a-z][a-z0-9+.-]*:|^[\\/]/i.test(String(text).trim()) || String(text).includes("..")) return null;
    const found = new URL(text, location.href);
    return found.protocol === location.protocol && found.host === location.host ? found.href : null;
  };

  // a text that fits into so many characters
  akb.short = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}\u2026` : text);
  akb.link = (page, values, label, attributes) => akb.el("a", { href: akb.address(page, values), ...attributes }, label);
  akb.address = (page, values) => `${page}.html#${new URLSearchParams(values)}`;
  akb.fail = (text, where = "problem") => {
    const node = akb.at(where);
    node.hidden = false;
    node.textContent = text;
  };
  akb.list = (texts) => akb.el("ul", null, texts.map((text) => akb.el("li", null, text)));
  // a label and its field
  akb.field = (label, input) => akb.el("label", { class: "field" }, akb.el("span", null, label), input);
  akb.choice = (values, chosen, tell, attributes) => {
    const box = akb.el("select", { ...attributes, onchange: () => tell(box.value) });
    for (const [value, label] of values) box.append(akb.el("option", { value, selected: value === chosen }, label));
    return box;
  };
  // a name and its values, as a table without a head: facts, settings
  akb.facts = (pairs, caption) => akb.el("table", { class: "facts" }, caption ? akb.el("caption", null, caption) : null,
    akb.el("tbody", null, pairs.map(([name, value]) => akb.el("tr", null, akb.el("th", { scope: "row" }, name), akb.el("td", null, value)))));
  akb.plain = (value) => {
    if (value === null || value === undefined) return akb.none;
    return typeof value === "object" ? JSON.stringify(value) : String(value);
  };
})();
