// ---- results: as `akb bank agreement` reads them

function reading(name, id, given) {
  const one = ITEMS.get(id);
  return { round: DATA.round, item: id, version: one.version, category: one.category, by: name, kind: "human", blind: true,
    date: given.date, answer: given.answer, key: one.answer, verdict: given.verdict, sure: given.sure, note: given.note,
    judgement: given.judgement, comment: given.comment, canary: one.canary, words: one.words };
}

function answerOf(row) { // what is kept of a reading, or null if it is none of this page's
  const one = ITEMS.get(row.item), clear = row.verdict === "clear";
  const fits = one && row.version === one.version && row.key === one.answer && row.kind === "human" && row.blind === true &&
    typeof row.by === "string" && tidy(row.by) !== "" && row.by === tidy(row.by) && row.round === DATA.round &&
    (clear ? Number.isInteger(row.answer) && row.answer >= 0 && row.answer < one.options.length :
      FAULTS.includes(row.verdict) && row.answer === null) &&
    SURE.includes(row.sure) && /^\d{4}-\d\d-\d\d$/.test(row.date) && ["", ...JUDGEMENTS].includes(row.judgement || "");
  if (!fits) return null;
  return { answer: row.answer, verdict: row.verdict, sure: row.sure, note: String(row.note || ""), date: row.date,
    judgement: row.judgement || "", comment: String(row.comment || ""), saved: false };
}

function takeUp(rows, saved) { // what a rater has answered here stands; what is further with the same answer is taken
  const counts = { taken: 0, kept: 0, other: 0 };
  const states = new Map(rater ? [[rater, state]] : []);
  for (const row of rows) {
    const found = row && typeof row === "object" ? answerOf(row) : null;
    if (!found) { counts.other++; continue; }
    if (!states.has(row.by)) states.set(row.by, stateOf(row.by));
    const answers = states.get(row.by).answers, mine = answers[row.item];
    const same = mine && ["answer", "verdict", "sure", "note"].every((name) => mine[name] === found[name]);
    if (!mine || (same && !mine.judgement && found.judgement)) {
      answers[row.item] = { ...found, saved };
      counts.taken++;
    } else {
      if (saved && same && mine.judgement === found.judgement && mine.comment === found.comment) mine.saved = true;
      counts.kept++;
    }
  }
  states.forEach((value, name) => keep(name, value));
  return counts;
}

function exported() {
  const lines = raters().flatMap((name) => {
    const answers = name === rater ? state.answers : stateOf(name).answers;
    return DATA.items.filter((one) => answers[one.id]).map((one) => JSON.stringify(reading(name, one.id, answers[one.id])));
  });
  if (!lines.length) return say("There are no answers yet.");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.map((line) => `${line}\n`).join("")], { type: "application/jsonl" }));
  link.download = `readings-human-round-${DATA.round}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`${lines.length} answers exported.`);
}

async function imported(file) {
  const rows = (await file.text()).replace(/^\ufeff/, "").split("\n").filter((line) => line.trim()).map((line) => {
    try { return JSON.parse(line); } catch { return null; }
  });
  const counts = takeUp(rows, false);
  if (rater && !state.at) place = firstOpen();
  show();
  say(`${counts.taken} answers taken up, ${counts.kept} were here already, ${counts.other} do not belong to this page.`);
  send();
}

// ---- saving, where the page is served

let sending = false, wait = 1000, timer = 0;

function unsaved() { // answers that the server does not have yet, of every rater
  return raters().flatMap((name) => {
    const answers = name === rater ? state.answers : stateOf(name).answers;
    return Object.keys(answers).filter((id) => ITEMS.has(id) && !answers[id].saved).map((id) => [name, id, answers[id]]);
  });
}

function told() {
  const rest = DATA.served ? unsaved() : [], refused = rest.find(([, , one]) => one.refused);
  $("saved").className = rest.length ? "late" : "";
  $("saved").textContent = !rater ? "" : !DATA.served ? (kept ? "Kept in this browser" : "Not kept: export before you leave") :
    refused ? `Refused by the server: ${refused[2].refused}` : rest.length ? `${rest.length} not saved yet` : "Saved";
}

function mark(name, id, line, values) { // unless it has changed meanwhile
  const now = name === rater ? state : stateOf(name), one = now.answers[id];
  if (!one || JSON.stringify(reading(name, id, one)) !== line) return;
  Object.assign(one, values);
  keep(name, now);
}

const waiting = () => unsaved().filter(([, , one]) => !one.refused);

async function send() {
  clearTimeout(timer);
  told();
  if (!DATA.served || sending) return;
  sending = true;
  try {
    for (let rest = waiting(); rest.length; rest = waiting()) {
      const [name, id, one] = rest[0], line = JSON.stringify(reading(name, id, one));
      const reply = await fetch("results", { method: "POST", headers: { "Content-Type": "application/json" }, body: line,
        signal: AbortSignal.timeout(15000) });
      if (reply.status >= 500) throw new Error(reply.statusText);
      const body = await reply.json();
      mark(name, id, line, reply.ok ? { saved: true } : { refused: String(body.error) });
      wait = 1000;
      told();
    }
  } catch {
    timer = setTimeout(send, wait);
    wait = Math.min(2 * wait, 15000);
  }
  sending = false;
  told();
}

async function fetchSaved(name) { // an earlier session may have been on another port, whose storage is another
  try {
    const reply = await fetch(`results?by=${encodeURIComponent(name)}`, { signal: AbortSignal.timeout(15000) });
    const rows = (await reply.json()).results;
    if (rater !== name) return;
    Object.values(state.answers).forEach((one) => { one.saved = false; delete one.refused; });
    const fresh = firstOpen() === 0 && !state.at, before = JSON.stringify(state.answers);
    const counts = takeUp(rows, true);
    if (fresh) place = firstOpen();
    if (counts.taken && before !== JSON.stringify(state.answers)) show();
  } catch { /* what was not saved is sent again */ }
}
