// How every number is computed, from the docstrings; and how often each interval held in simulation.
"use strict";
(function () {
  const { el } = akb;
  const paragraphs = (text) => String(text).split(/\n\s*\n/).map((one) => one.trim()).filter(Boolean).map((one) => el("p", { class: "prose" }, one));

  function coverage(rows) {
    if (!rows || !rows.length) return el("p", null, "No simulation is in this folder.");
    const room = akb.domain([...rows.flatMap((one) => [one.nominal, one.measured]), ...rows.map((one) => one.measured - 2 * (one.error || 0)), ...rows.map((one) => one.measured + 2 * (one.error || 0))]);
    return akb.table({ caption: "Share of simulated data sets whose interval held the truth (bar: two standard errors of the simulation; dashed: nominal). More than 2 points off is marked. *: akb's choice; the others are what it was chosen from. p: true share right; icc: how alike questions of a template are; akb-open: templates as there, fours: of four questions.", rows, columns: [
      { key: "interval", label: "Interval", head: true, value: (one) => `${one.interval}${one.default ? " *" : ""}` },
      { key: "world", label: "Simulated", class: "world", value: (one) => one.world },
      { key: "measured", label: "Measured, %", class: "score", value: (one) => one.measured, axis: akb.axis(room, rows[0].nominal),
        cell: (one) => akb.interval(one.measured, akb.known(one.error) ? one.measured - 2 * one.error : null, akb.known(one.error) ? one.measured + 2 * one.error : null, room, one.nominal) },
      { key: "nominal", label: "Nominal", class: "num", value: (one) => one.nominal, cell: (one) => akb.pct(one.nominal) },
      { key: "off", label: "Off by, points", class: "num", down: true, value: (one) => Math.abs(one.measured - one.nominal), cell: (one) => akb.points(one.measured - one.nominal) },
      { key: "good", label: "Verdict", cell: (one) => (Math.abs(one.measured - one.nominal) > 0.02 ? "\u26a0 off" : "holds") }] });
  }

  akb.start(async () => {
    const found = await akb.load("methods");
    const entry = (name, title) => el("li", null, el("button", { type: "button", class: "link", onclick: () => {
      const head = akb.at(`section-${name}`);
      head.scrollIntoView();
      head.focus();
    } }, title));
    akb.put("contents", el("ol", null, found.sections.map((one, i) => entry(i, one.title)), entry("coverage", akb.at("section-coverage").textContent)));
    akb.put("coverage", coverage(found.coverage));
    akb.put("sections", found.sections.map((one, i) => el("section", null, el("h2", { id: `section-${i}`, tabindex: "-1" }, one.title), paragraphs(one.text),
      one.source ? el("p", { class: "faint" }, "Source: ", one.source) : null)));
  });
})();
