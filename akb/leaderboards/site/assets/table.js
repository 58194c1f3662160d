// A table whose columns sort: real heads with a button each, aria-sort on the one that holds.
"use strict";
(function () {
  const texts = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

  // what is not known comes last, either way
  function compare(a, b, down) {
    const missing = (x) => x === null || x === undefined || Number.isNaN(x);
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    const found = typeof a === "number" && typeof b === "number" ? a - b : texts.compare(a, b);
    return down ? -found : found;
  }

  function head(column, sort, tell) {
    const { el } = akb;
    const mine = sort && sort.key === column.key;
    const cell = el("th", { scope: "col", class: column.class, "aria-sort": mine ? (sort.down ? "descending" : "ascending") : null });
    if (!column.value) return akb.put(cell, el("span", null, column.label));
    const mark = el("span", { class: "mark", "aria-hidden": "true" }, mine ? (sort.down ? "\u25bc" : "\u25b2") : "\u21c5");
    const press = () => tell({ key: column.key, down: mine ? !sort.down : Boolean(column.down) });
    cell.append(el("button", { type: "button", "data-key": column.key, title: column.title, onclick: press }, column.label, " ", mark));
    if (column.axis) cell.append(column.axis);
    return cell;
  }

  // spec: caption, columns [{key, label, value(row) for sorting, cell(row), head: true for the row's name, down, axis, class}],
  // rows, sort {key, down} (or null), tell(sort) for who keeps it, body: class of a row
  akb.table = (spec) => {
    const { el } = akb;
    let sort = spec.sort || null;
    const box = el("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": spec.caption });
    function draw() {
      const by = sort && spec.columns.find((one) => one.key === sort.key && one.value);
      const rows = by ? [...spec.rows].sort((a, b) => compare(by.value(a), by.value(b), sort.down)) : spec.rows;
      const change = (wanted) => {
        sort = wanted;
        if (spec.tell) spec.tell(sort);
        draw();
        const button = [...box.querySelectorAll("thead button")].find((one) => one.dataset.key === sort.key);
        if (button) button.focus();
      };
      const body = rows.map((row) => el("tr", spec.row ? spec.row(row) : null, spec.columns.map((column) => {
        const shown = column.cell ? column.cell(row) : akb.plain(column.value(row));
        return column.head ? el("th", { scope: "row", class: column.class }, shown) : el("td", { class: column.class }, shown);
      })));
      if (!rows.length) body.push(el("tr", null, el("td", { colspan: spec.columns.length }, spec.empty || "Nothing to show.")));
      akb.put(box, el("table", { class: spec.class }, el("caption", null, spec.caption),
        el("thead", null, el("tr", null, spec.columns.map((column) => head(column, sort, change)))), el("tbody", null, body)));
    }
    draw();
    return box;
  };
})();
