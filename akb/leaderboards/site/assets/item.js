// One item: the question, its options and key, what each model chose and replied; the audio where there is some.
"use strict";
(function () {
  const { el } = akb;
  const letter = (i) => (i < 26 ? String.fromCharCode(65 + i) : String(i + 1));

  // the chunk and place of the item: by number (i, from 0), or by its id, looked for from the start
  async function find(board, task, state) {
    const total = akb.total(board, task);
    if (state.id && state.i === undefined) {
      for (let number = 0; number * akb.CHUNK < total; number += 1) {
        const chunk = await akb.chunk(task, number);
        const at = chunk.items.findIndex((one) => one.id === state.id);
        if (at >= 0) return { item: chunk.items[at], i: number * akb.CHUNK + at, total };
      }
      throw new Error(`The task has no item "${state.id}".`);
    }
    const i = Number(state.i || 0);
    if (!Number.isInteger(i) || i < 0 || i >= total) throw new Error(`The task has the items 1 to ${total}; there is none at "${state.i}" (counted from 0).`);
    const chunk = await akb.chunk(task, Math.floor(i / akb.CHUNK));
    const item = chunk.items[i % akb.CHUNK];
    if (!item) throw new Error(`The data hold no item number ${i + 1}.`);
    return { item, i, total };
  }

  function sound(item) {
    const files = item.audio ? [item.audio].flat() : [];
    return files.map((file, k) => {
      const address = akb.beside(file);
      const name = files.length > 1 ? `Audio ${k + 1}` : "Audio";
      if (!address) return el("p", null, `${name} is elsewhere, so it is not played here: `, akb.web(file));
      const player = el("audio", { controls: true, preload: "none", src: address, "aria-label": name });
      const note = el("span", { class: "faint" });
      player.addEventListener("error", () => { note.textContent = " cannot be played: the file is missing or of an unknown format"; });
      return el("p", null, player, el("br"), el("a", { href: address }, file), note);
    });
  }

  function options(item, chosen, count) {
    const picked = item.options.map((_, i) => Object.values(chosen).filter((one) => one[0] === i).length);
    const keys = [item.answer].flat();
    return el("ol", { class: "options" }, item.options.map((text, i) => el("li", { class: keys.includes(i) ? "key" : null },
      el("b", null, `(${letter(i)})`), el("span", { class: "text" }, text, keys.includes(i) ? el("strong", { class: "tag" }, " \u2713 key") : null),
      el("span", { class: "share" }, el("meter", { min: 0, max: count || 1, value: picked[i], "aria-label": `chosen by ${picked[i]} of ${count} models` }),
        el("span", { class: "faint" }, ` ${picked[i]} of ${count}`)))));
  }

  function measures(item) {
    const d = item.difficulty, r = item.discrimination;
    return akb.facts([["Item", `${item.id}, version ${item.version}`], ["Category", `${item.category} / ${item.subcategory}`], ["Template", akb.plain(item.template)],
      ["Models that were right", d ? `${akb.pct(d.p)} (95 % interval ${akb.range(d.low, d.high)})` : akb.none],
      ["Discrimination r", r ? `${akb.num(r.r)} (95 % interval ${akb.span([r.low, r.high])})` : "not known: all models agree, or too few"]]);
  }

  function answers(board, item, column, chosen) {
    const rows = Object.entries(chosen).map(([slug, [index, status, score, reply]]) => ({ slug, index, status, score, reply, name: akb.model(board, slug)?.name || slug }));
    return akb.table({ caption: `What each model chose, ${akb.columnName(column)}; a letter in a reply is the one that the model was shown, in an order of its own`, rows, sort: { key: "name", down: false }, class: "answers", columns: [
      { key: "name", label: "Model", head: true, class: "name", value: (one) => one.name, cell: (one) => akb.link("model", { m: one.slug, col: column.key }, one.name) },
      { key: "index", label: "Chose", value: (one) => one.index, cell: (one) => (akb.known(one.index) ? `(${letter(one.index)})` : "none") },
      { key: "score", label: "Right", class: "nowrap", down: true, value: (one) => one.score, cell: (one) => (!akb.known(one.score) ? akb.none : one.score >= 1 ? "\u2713 right" : one.score > 0 ? `${akb.num(one.score)} of 1` : "\u2717 wrong") },
      { key: "status", label: "Status", value: (one) => one.status },
      { key: "reply", label: "Reply", class: "reply", cell: (one) => (one.reply ? el("span", { class: "said" }, one.reply) : el("span", { class: "faint" }, "no text kept")) }] });
  }

  akb.start(async (board, state) => {
    const tasks = akb.tasks(board);
    const task = state.task || tasks[0]?.taskslug;
    const columns = board.columns.filter((one) => one.taskslug === task);
    if (!columns.length) throw new Error(`The board has no task "${task}".`);
    const { item, i, total } = await find(board, task, state);
    const column = columns.find((one) => one.key === state.col) || columns[0];
    const chosen = akb.own(item.chosen, column.key) || {};
    const count = Object.keys(chosen).length;
    const to = (j, label, rel) => (j >= 0 && j < total ? akb.link("item", { task, i: j, col: column.key }, label, { rel, class: "step" }) : el("span", { class: "step faint" }, label));
    document.title = `${item.id} · akb`;
    akb.put("title", `Item ${i + 1} of ${akb.count(total)}`);
    akb.put("steps", to(i - 1, "\u2190 Previous", "prev"), akb.link("task", { task }, "All items", { class: "step" }), to(i + 1, "Next \u2192", "next"),
      akb.field("Column", akb.choice(columns.map((one) => [one.key, akb.columnName(one)]), column.key, (col) => { location.hash = `#${new URLSearchParams({ task, i, col })}`; })));
    akb.put("question", item.question);
    akb.put("audio", sound(item));
    const caption = akb.own(item.captions || {}, column.key);
    akb.put("caption", caption ? [el("h3", null, `Caption that the models read (${column.setting})`), el("p", { class: "prose said" }, caption)] : []);
    akb.put("options", options(item, chosen, count));
    akb.put("rationale", item.rationale ? [el("h3", null, "Why"), el("p", { class: "prose" }, item.rationale)] : []);
    akb.put("measures", measures(item));
    akb.put("answers", count ? answers(board, item, column, chosen) : el("p", null, "No model was asked this item in this column."));
  });
})();
