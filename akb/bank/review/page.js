// ---- where we are

let rater = "", state = null, order = [], place = 0;

const item = () => ITEMS.get(order[place]);
const answer = () => (place < order.length ? state.answers[order[place]] : undefined);
const judged = (id) => Boolean(state.answers[id] && state.answers[id].judgement);
const firstOpen = () => {
  const found = order.findIndex((id) => !judged(id));
  return found < 0 ? order.length : found;
};

function draft() {
  const known = answer() || {};
  return { pick: null, sure: "sure", note: "", judgement: known.judgement || "", comment: known.comment || "",
    ...state.drafts[order[place]] };
}

function change(values) {
  state.drafts[order[place]] = { ...draft(), ...values };
  keep(rater, state);
}

function go(to) {
  place = Math.max(0, Math.min(order.length, to));
  state.at = order[place] || null;
  keep(rater, state);
  show();
  $(place < order.length ? (answer() ? "outcome" : "number") : "end").focus();
  window.scrollTo(0, 0);
}

async function begin(name) {
  rater = name;
  state = stateOf(rater);
  order = orderOfItems(rater);
  put("rater", rater);
  keep(rater, state);
  place = ITEMS.has(state.at) ? order.indexOf(state.at) : firstOpen();
  show();
  if (DATA.served) await fetchSaved(name);
  send();
}

function leave() {
  put("rater", "");
  [rater, state, order] = ["", null, []];
  show();
  $("name").value = "";
  $("name").focus();
}

// ---- the two steps

function today() {
  const now = new Date(), two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

function confirm() {
  if (place >= order.length) return;
  const now = draft();
  if (!answer()) {
    if (now.pick === null) return say("Choose an option, or say what is wrong with the item.");
    const fault = FAULTS.includes(now.pick);
    state.answers[order[place]] = { answer: fault ? null : now.pick, verdict: fault ? now.pick : "clear", sure: now.sure,
      note: clean(now.note), date: today(), judgement: "", comment: "", saved: false };
    delete state.drafts[order[place]];
    keep(rater, state);
    show();
    $("outcome").focus();
    return send();
  }
  if (!now.judgement) return say("Accept, reject or mend?");
  if (now.judgement === "mend" && !now.comment.trim()) {
    $("comment").focus();
    return say("Say in the comment what is to be mended.");
  }
  const known = answer(), [judgement, comment] = [now.judgement, clean(now.comment)], first = !known.judgement;
  if (known.judgement !== judgement || known.comment !== comment) {
    Object.assign(known, { judgement, comment, saved: false });
    delete known.refused;
  }
  delete state.drafts[order[place]];
  const later = order.findIndex((id, i) => i > place && !judged(id));
  go(first ? (later < 0 ? firstOpen() : later) : place + 1);
  send();
}

// ---- showing

function say(text) {
  $("say").textContent = text;
}

function show() {
  const inside = Boolean(rater), ended = inside && place >= order.length;
  $("login").hidden = inside;
  $("item").hidden = !inside || ended;
  $("done").hidden = !ended;
  for (const id of ["moves", "help", "progress", "switch"]) $(id).hidden = !inside;
  $("who").textContent = rater;
  say("");
  told();
  if (!inside) return;
  const done = order.filter(judged).length, count = (what) => order.filter((id) => judged(id) &&
    state.answers[id].judgement === what).length;
  $("meter").max = order.length;
  $("meter").value = done;
  $("counts").textContent = `${done} of ${order.length} done: ${count("accepted")} accepted, ` +
    `${count("rejected")} rejected, ${count("mend")} to mend`;
  $("back").disabled = place === 0;
  $("forward").disabled = ended || !judged(order[place]);
  $("confirm").hidden = ended;
  if (!ended) return showItem();
  $("end").textContent = done < order.length ? "The end" : "All items are done. Thank you!";
  $("left").textContent = (done < order.length ? `${order.length - done} items before this one are still open. ` : "") +
    (DATA.served ? "Your answers go to who runs this server." : "Export your answers and send the file to who asked you.");
  helpFor("");
}

function helpFor(step) {
  for (const part of $("help").children) part.hidden = part.className !== "" && !part.classList.contains(step);
}

function showItem() {
  const given = answer(), now = draft();
  $("number").textContent = `Item ${place + 1} of ${order.length}`;
  $("question").textContent = item().question;
  showOptions(given);
  const pick = given ? (given.verdict === "clear" ? given.answer : given.verdict) : now.pick;
  check("pick", pick);
  check("sure", given ? given.sure : now.sure);
  check("judgement", now.judgement);
  $("note").value = given ? given.note : now.note;
  $("comment").value = now.comment;
  for (const id of ["picks", "sureness", "note"]) $(id).disabled = Boolean(given);
  $("noted").hidden = Boolean(given) && !given.note;
  $("shown").hidden = !given;
  $("confirm").textContent = given ? "Next" : "Confirm";
  helpFor(given ? "judge" : "blind");
  showKey(given);
}

const check = (name, value) => document.getElementsByName(name).forEach((one) => { one.checked = one.value === String(value); });
const letter = (i, count) => (count > 4 ? String(i + 1) : "ABCD"[i]);

function showOptions(given) {
  const options = item().options;
  $("options").replaceChildren(...orderOfOptions(rater, item()).map((own, i) => {
    const label = document.createElement("label"), radio = document.createElement("input"), text = make("span", options[own]);
    Object.assign(radio, { type: "radio", name: "pick", value: String(own) });
    text.dir = "auto";
    label.append(radio, make("kbd", letter(i, options.length)), text);
    const marks = given ? [own === item().answer && "the key", own === given.answer && "your answer"].filter(Boolean) : [];
    if (marks.length) label.append(make("em", marks.join(", ")));
    label.classList.toggle("key", Boolean(given) && own === item().answer);
    return label;
  }));
}

function showKey(given) { // nothing of it is in the page's elements before the blind answer stands
  const one = item(), same = Boolean(given) && given.verdict === "clear" && given.answer === one.answer;
  const said = given && given.verdict !== "clear" ? `You found: ${given.verdict}. ` : "";
  const at = orderOfOptions(rater, one).indexOf(one.answer);
  $("outcome").textContent = !given ? "" : same ? "Your answer is the key." :
    `${said || "Your answer is not the key. "}The key is ${letter(at, one.options.length)}.`;
  $("outcome").className = same ? "same" : "other";
  $("rationale").textContent = given ? one.rationale || "No rationale is given." : "";
  $("sources").replaceChildren(...(given ? one.sources.map(sourceLine) : []));
  $("about").textContent = !given ? "" : [`${one.id}, version ${one.version}`, `${one.category} / ${one.subcategory}`, one.kind,
    one.template_id && `template ${one.template_id}`, one.dialect && `dialect ${one.dialect}`].filter(Boolean).join(" · ");
}

function sourceLine(source) {
  const line = make("li", ""), safe = /^https?:\/\/\S+$/.test(source.ref);
  const ref = make(safe ? "a" : "span", source.ref);
  if (safe) Object.assign(ref, { href: source.ref, target: "_blank", rel: "noopener noreferrer" });
  const how = source.kind + (source.seen ? ", opened by the writer" : ", not opened by the writer");
  line.append(ref, make("span", `${source.where ? `, ${source.where}` : ""} (${how})`));
  return line;
}

// ---- keys and mouse

const TYPED = "textarea, input:not([type=radio])";

function sign(event) { // the Latin sign of a key, on other keyboards by its place
  if (/^[a-z0-9]$/i.test(event.key)) return event.key.toUpperCase();
  const found = /^(?:Key|Digit)(.)$/.exec(event.code || "");
  return found && event.key.length === 1 && event.key.charCodeAt(0) > 127 ? found[1] : "";
}

function choose(name, value) {
  change({ [name]: value });
  check(name, value);
  say("");
}

function press(key) {
  const text = answer() ? "comment" : "note";
  if (key === "T") { $(text).focus(); return true; }
  if (answer()) {
    const said = { Y: "accepted", N: "rejected", M: "mend" }[key];
    if (!said) return false;
    choose("judgement", said);
    if (said === "mend" || said === "rejected") $("comment").focus();
    return true;
  }
  const options = orderOfOptions(rater, item()), fault = FAULTS["QWE".indexOf(key)], sure = SURE["SFG".indexOf(key)];
  const at = /[1-9]/.test(key) ? Number(key) - 1 : "ABCD".indexOf(key);
  if (fault) choose("pick", fault);
  else if (sure) choose("sure", sure);
  else if (at >= 0 && at < options.length) choose("pick", options[at]);
  else return false;
  return true;
}

function typed(event) {
  if (event.key === "Escape") event.target.blur();
  if (event.key !== "Enter" || event.shiftKey || event.repeat) return;
  event.preventDefault();
  confirm();
}

document.addEventListener("keydown", (event) => {
  if (!rater || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.target.matches(TYPED)) return typed(event);
  if (event.key === "Enter") {
    if (!event.target.matches("button, a") && !event.repeat) { event.preventDefault(); confirm(); }
  } else if (event.key === "ArrowLeft" || event.key === "Backspace") {
    event.preventDefault();
    if (place > 0) go(place - 1);
  } else if (event.key === "ArrowRight") {
    event.preventDefault();
    if (place < order.length && judged(order[place])) go(place + 1);
  } else if (place < order.length) {
    const key = sign(event);
    if (key && press(key)) event.preventDefault();
  }
});

$("item").addEventListener("change", (event) => {
  const { name, value } = event.target;
  if (event.target.type === "radio") choose(name, name === "pick" && !FAULTS.includes(value) ? Number(value) : value);
});
for (const id of ["note", "comment"]) $(id).addEventListener("input", () => change({ [id]: $(id).value }));
$("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = tidy($("name").value);
  if (!name) return;
  begin(name);
  $(place < order.length ? "number" : "end").focus();
});
$("back").addEventListener("click", () => go(place - 1));
$("forward").addEventListener("click", () => go(place + 1));
$("confirm").addEventListener("click", confirm);
$("export").addEventListener("click", exported);
$("switch").addEventListener("click", leave);
$("import").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  if ($("file").files.length) await imported($("file").files[0]);
  $("file").value = "";
});
window.addEventListener("storage", (event) => { // the same rater in another tab
  if (rater && event.key === `${PREFIX}of:${rater}`) { state = stateOf(rater); show(); }
});
window.addEventListener("beforeunload", (event) => {
  if (rater && (DATA.served ? unsaved().length : !kept && Object.keys(state.answers).length)) event.preventDefault();
});

warn();
const last = get("rater", "");
if (last) begin(last);
else { show(); $("name").focus(); }
