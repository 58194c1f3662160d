// Texts of items reach the page through textContent only; nothing in them is ever taken for HTML.
const DATA = JSON.parse(document.getElementById("data").textContent);
const ITEMS = new Map(DATA.items.map((item) => [item.id, item]));
const FAULTS = ["ambiguous", "none right", "more than one"];
const SURE = ["sure", "fairly", "guess"];
const JUDGEMENTS = ["accepted", "rejected", "mend"];
const PREFIX = `akb-review:${DATA.bank}:`;
const $ = (id) => document.getElementById(id);

function make(tag, text) {
  const found = document.createElement(tag);
  found.textContent = text;
  return found;
}

// ---- orders: of items and of options, the same for the same rater at any time

function random(seed) { // MurmurHash3 of the seed's code units, then mulberry32
  let hash = 1779033703 ^ seed.length;
  for (let i = 0; i < seed.length; i++) {
    hash = Math.imul(hash ^ seed.charCodeAt(i), 3432918353);
    hash = (hash << 13) | (hash >>> 19);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
  hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
  hash ^= hash >>> 16;
  return () => {
    hash = (hash + 0x6d2b79f5) | 0;
    let t = Math.imul(hash ^ (hash >>> 15), 1 | hash);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function orderOfItems(rater) { // by a number each, so that an added item does not move the others about
  const rows = DATA.items.map((item) => [random(`item\n${rater}\n${item.id}`)(), item.id]);
  return rows.sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).map((row) => row[1]);
}

function orderOfOptions(rater, item) {
  const next = random(`options\n${rater}\n${item.id}\n${item.version}`);
  const order = item.options.map((_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

// ---- what is kept: in the browser's storage, or in memory where there is none

const memory = new Map();
let kept = true;
try {
  localStorage.setItem(`${PREFIX}test`, "1");
  localStorage.removeItem(`${PREFIX}test`);
} catch {
  kept = false;
}

function put(name, value) {
  memory.set(name, value);
  if (!kept) return;
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    kept = false;
    warn();
  }
}

function get(name, otherwise) {
  if (!kept && memory.has(name)) return memory.get(name);
  try {
    const text = localStorage.getItem(PREFIX + name);
    if (text !== null) return JSON.parse(text);
  } catch { /* no storage, or damaged: as if it were not there */ }
  return memory.has(name) ? memory.get(name) : otherwise;
}

function warn(text) {
  const told = text || (kept ? "" : "This browser keeps nothing for this page: a reload or closing it loses your answers" +
    (DATA.served ? " that are not saved yet." : ". Use Export before you leave."));
  $("warning").textContent = told;
  $("warning").hidden = !told;
}

const clean = (text) => text.replace(/\p{Cs}/gu, "\ufffd").trim(); // halves of surrogate pairs are no text
const tidy = (name) => clean(name.normalize("NFC").replace(/\s+/g, " "));
const raters = () => get("raters", []);
const bare = (values) => Object.assign(Object.create(null), values); // an item's id may be "constructor"

function stateOf(name) {
  const found = get(`of:${name}`, {});
  return { at: found.at || null, answers: bare(found.answers), drafts: bare(found.drafts) };
}

function keep(name, value) {
  if (!raters().includes(name)) put("raters", [...raters(), name]);
  put(`of:${name}`, value);
}
