// The page: keeps the list as the feed says, asks the server for every step, and sounds. What an event is, the server words.

import * as lock from "./lock.js";
import * as sound from "./sound.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const role = document.body.dataset.role;
let list = $("[data-list]");
let detail = $("[data-detail]");
const token = $("meta[name=form-token]").content;

// The server's time, as microseconds since 1970, by the browser's monotonic clock: a wrong clock of this computer changes nothing.
let serverNow = list ? Number(list.dataset.now) : 0;
let serverNowAt = performance.now();
let selected = null;
let flood = false;
// Number of the last change that was heard of.
let changed = 0;
let heard = {};
// A list that is older than a change that was heard of is fetched again so many times.
const TRIES = 5;

// Time for which a row that has come is marked.
const FRESH_MS = 1600;
// Rows that the server gives at once.
const ROWS_MAX = 300;

const now = () => serverNow + (performance.now() - serverNowAt) * 1000;

// ---------------------------------------------------------------- feed

// Until the first word of the server: the page arrives with its banner, which shows itself after a moment.
let isBlind = true;
let isTold = false;

// Starts the feed. A worker that cannot be loaded, since the server went away meanwhile, leaves the page blind until one can.
function follow() {
  const worker = new Worker("/assets/feed.js", { type: "module" });
  worker.postMessage({ cursor: list ? Number(list.dataset.cursor) : Number.MAX_SAFE_INTEGER });
  worker.onmessage = ({ data }) => {
    if (isBlind && data.kind !== "blind") seeing();
    ({ change, beat, blind, anew, out }[data.kind]?.(data));
  };
  worker.onerror = () => {
    worker.terminate();
    if (!isTold) blind({ since: $("[data-clock]").textContent });
    setTimeout(follow, 2000);
  };
}

function change(message) {
  changed = message.number;
  if (message.row !== undefined) put(message);
  const isNew = message.state === "new" && message.tab === "open";
  if (message.change === "arrived" && isNew && role !== "commander") sound.play(message.severity);
  if (message.change === "grew" && isNew && role !== "commander") sound.play("notice");
  if (message.change === "escalated" && (role !== "commander" || message.level >= 2)) sound.play(message.severity, message.level);
  if (message.change === "shelves") sound.play("shelf");
  // Events have moved or are gone, each without a change of its own.
  if (message.change === "shelves" || message.change === "removed") reload();
  if (isShown(message.event) && !detail.contains(document.activeElement)) show(message.event, undefined, true);
}

function beat(message) {
  [serverNow, serverNowAt] = [message.now, performance.now()];
  heard = message;
  tellCounts(message.counts);
  banner("broker", message.broker);
  if (message.broker && !beat.broker) sound.play("blind");
  beat.broker = message.broker;
  $("[data-clock]").textContent = message.clock ?? "";
  setFlood(message.flood);
  tellLink(message);
  refill(message);
  lock.heard(message.locked);
  sound.isBlocked().then((isBlocked) => banner("sound", isBlocked));
}

function tellCounts(counts) {
  for (const [tab, count] of Object.entries(counts ?? {})) {
    for (const place of $$(`[data-count="${tab}"]`)) [place.textContent, place.hidden] = [count, false];
  }
  for (const place of $$('[data-count="/"]')) [place.textContent, place.hidden] = [counts?.open ?? 0, !counts?.open];
  for (const place of $$('[data-count="/shelves"]')) [place.textContent, place.hidden] = [counts?.shelved ?? 0, !counts?.shelved];
}

function tellLink(message) {
  const link = $("[data-link]");
  link.className = message.away > 0 ? "link-state some" : "link-state good";
  const words = link.dataset;
  link.textContent = message.away > 0 ? `▲ ${message.away}/${message.boxes} ${words.away}` : `● ${words.good}`;
}

function blind(message) {
  [isBlind, isTold] = [true, true];
  $('[data-banner="blind"]').classList.remove("starting");
  const link = $("[data-link]");
  [link.className, link.textContent] = ["link-state some", `▲ ${link.dataset.lost}`];
  banner("blind", message.since || "?");
  sound.play("blind", 1);
}

function seeing() {
  [isBlind, isTold] = [false, false];
  banner("blind", null);
}

function out() {
  location.assign("/login");
}

// Shows a banner; a text goes into its place for the time.
function banner(name, shown) {
  const place = $(`[data-banner="${name}"]`);
  place.hidden = !shown;
  const since = $("[data-since]", place);
  if (since) since.textContent = shown || "";
}

// ---------------------------------------------------------------- locked and open

function clear() {
  $("main").replaceChildren();
  document.title = "wardpost";
  document.body.classList.remove("has-detail");
  [list, detail, selected] = [null, null, null];
  toast("", true);
}

// Fetches what the page showed. True where it is there again.
async function restore(tries = TRIES) {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  const { pathname } = new URL(answer.url);
  if (pathname === "/lock") return false;
  if (pathname === "/login") return out();
  // A page that answered a form cannot be fetched again.
  if (!answer.ok) return answer.status < 500 && location.assign("/");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const place = $("[data-list]", fresh);
  if (place && Number(place.dataset.cursor) < changed && tries > 0) return restore(tries - 1);
  history.replaceState(null, "", answer.url);
  document.title = fresh.title;
  for (const part of ["main", ".places"]) $(part).replaceChildren(...$(part, fresh).childNodes);
  [list, detail] = [$("[data-list]"), $("[data-detail]")];
  tellCounts(heard.counts);
  setFlood(heard.flood);
  fold();
  tick();
  return true;
}

// ---------------------------------------------------------------- list

// Puts a row where it belongs: severity first, then the oldest. Closed events are in the order of their closing.
function put(message) {
  if (!list) return;
  const before = $(`[data-event="${message.event}"]`, list);
  const only = new URLSearchParams(location.search).get("camera");
  const isHere = message.tab === list.dataset.list && (!only || only === message.camera);
  if (!isHere) {
    if (before) take(before);
    return;
  }
  const template = document.createElement("template");
  template.innerHTML = message.row;
  const row = template.content.firstElementChild;
  const hadFocus = before?.contains(document.activeElement);
  const shownPicture = before && $("img", before);
  const picture = $("img", row);
  // The picture that is shown stays: each load of one is a view, which is logged.
  if (shownPicture && picture && shownPicture.getAttribute("src") === picture.getAttribute("src")) picture.replaceWith(shownPicture);
  const own = known(row);
  if (before) {
    own.isOpen = known(before).isOpen;
    before.remove();
  } else mark(row);
  const isBefore = (other) => list.dataset.list === "closed" || own.rank > known(other).rank
    || (own.rank === known(other).rank && own.first < known(other).first);
  const next = $$("[data-event]", list).find(isBefore);
  list.insertBefore(row, next ?? $(".empty", list));
  if (selected === message.event) select(row, hadFocus);
  fold();
  tickRow(row);
}

// Facts about a row, read once: an event that changes gets another row. A long list is gone through with each alert.
function known(row) {
  if (row.known) return row.known;
  const { rank, first, source, rule, severity, state } = row.dataset;
  row.known = {
    rank: Number(rank), first: Number(first), group: `${rank} ${source} ${rule}`, mayFold: severity !== "critical" && state === "new",
    isOpen: false, age: $(".age[data-since]", row), overdue: $(".overdue", row), more: null, behind: 0,
  };
  return row.known;
}

// Marks a row that has just come, for a moment.
function mark(row) {
  row.classList.add("fresh");
  setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
}

function take(row) {
  const [after, before] = [siblings(row, "nextElementSibling"), siblings(row, "previousElementSibling")];
  const hadFocus = row.contains(document.activeElement);
  const wasSelected = selected === Number(row.dataset.event);
  row.remove();
  fold();
  if (!wasSelected) return;
  selected = null;
  // A row that is folded away cannot be chosen: nobody sees it.
  const next = [...after, ...before].find((other) => !other.classList.contains("folded"));
  if (next) select(next, hadFocus);
}

function siblings(row, side) {
  const found = [];
  for (let other = row[side]; other; other = other[side]) if (other.dataset.event) found.push(other);
  return found;
}

// The database is another one: its changes are counted anew.
function anew() {
  changed = 0;
  reload();
}

// Fills a list that was too long to be sent whole, once nothing has changed for the time between two beats.
function refill(message) {
  const [isQuiet, count] = [message.cursor === refill.cursor, list && message.counts?.[list.dataset.list]];
  refill.cursor = message.cursor;
  const rows = list ? $$("[data-event]", list).length : 0;
  if (isQuiet && rows < Math.min(count, ROWS_MAX) && !new URLSearchParams(location.search).has("camera")) reload();
}

async function reload(tries = TRIES) {
  if (!list) return;
  const address = new URL(location.href);
  address.searchParams.set("part", "1");
  const answer = await ask(address);
  if (!answer.ok) return;
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  const fresh = $("[data-list]", template.content);
  // A change that came meanwhile is not in it.
  if (Number(fresh.dataset.cursor) < changed && tries > 0) return reload(tries - 1);
  list?.replaceChildren(...fresh.childNodes);
  if (rowOf(selected)) select(rowOf(selected), false);
  fold();
  tick();
}

// In a flood, events of one camera and rule fold behind the first of them; critical ones stay single.
function setFlood(state) {
  const place = $("[data-flood]");
  if (!place) return;
  flood = Boolean(state);
  place.hidden = !flood;
  if (state) $("[data-flood-since]", place).textContent = state.since;
  tellWorst($("[data-flood-worst]", place), state?.worst);
  fold();
}

// The source with the most events, in the form that shelves it.
function tellWorst(form, worst) {
  form.hidden = !worst;
  if (!worst) return;
  for (const name of ["ward", "box", "camera", "rule"]) form.elements[name].value = worst[name];
  setText($("[data-flood-source]", form), `${worst.box}/${worst.camera} · ${worst.rule} (${worst.events})`);
}

function fold() {
  if (!list) return;
  const mayFold = flood && list.dataset.list === "open";
  const leaders = new Map();
  const rows = $$("[data-event]", list);
  const counts = new Map();
  for (const row of rows) {
    const own = known(row);
    const leader = leaders.get(own.group);
    const isFolded = mayFold && leader !== undefined && own.mayFold && !own.isOpen;
    if (row.classList.contains("folded") !== isFolded) row.classList.toggle("folded", isFolded);
    if (isFolded) counts.set(leader, (counts.get(leader) ?? 0) + 1);
    if (!leader) leaders.set(own.group, row);
  }
  for (const row of rows) showMore(row, counts.get(row) ?? 0);
}

// The button for the rows behind this one. Only what differs is changed: a storm folds all the time.
function showMore(row, count) {
  const own = known(row);
  if (own.behind === count) return;
  own.behind = count;
  own.more?.remove();
  own.more = null;
  if (count === 0) return;
  own.more = document.createElement("button");
  [own.more.type, own.more.className, own.more.dataset.do] = ["button", "more small", "unfold"];
  own.more.textContent = `+ ${count}`;
  $(".meta", row).append(" ", own.more);
}

// Ages and overdue marks: display only.
function tick() {
  for (const row of $$("[data-event]", list ?? document)) tickRow(row);
}

function tickRow(row) {
  const { age, overdue } = known(row);
  if (!age) return;
  setText(age, duration(Math.max(0, Math.floor((now() - Number(age.dataset.since)) / 1e6))));
  const isOverdue = Boolean(age.dataset.due) && now() > Number(age.dataset.due);
  row.classList.toggle("is-overdue", isOverdue);
  if (overdue && age.dataset.due && overdue.hidden === isOverdue) overdue.hidden = !isOverdue;
}

function setText(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

function duration(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

// ---------------------------------------------------------------- steps

function ask(address, options = {}) {
  const headers = { accept: "text/plain", "x-form-token": token, ...options.headers };
  return fetch(address, { ...options, headers });
}

async function post(path, fields) {
  try {
    const answer = await ask(path, { method: "POST", body: new URLSearchParams(fields) });
    if (answer.status === 401) return out();
    if (answer.status === 423) return lock.shut();
    toast((await answer.text()).trim(), answer.ok);
    return answer.ok;
  } catch {
    toast($("[data-toast]").dataset.failed, false);
    return false;
  }
}

function toast(text, isGood) {
  const place = $("[data-toast]");
  place.textContent = text;
  place.className = isGood ? "toast good" : "toast bad";
  place.hidden = text === "";
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.hidden = true; }, isGood ? 3000 : 8000);
}

// The question whose answer counts: answers may come in another order.
let asked = null;

// Shows an event, and then does `then`, also where the same event is asked for again meanwhile. News of it do not disturb an
// officer who has begun to fill in one of its forms.
async function show(event, then, isNews = false) {
  if (!detail) return location.assign(`/event?id=${event}`);
  const question = { event, then: then ?? (asked?.event === event ? asked.then : undefined) };
  asked = question;
  const answer = await ask(`/event?id=${event}&part=1`, { headers: { accept: "text/html" } });
  if (!answer.ok) return toast((await ask(`/event?id=${event}`).then((plain) => plain.text())).trim(), false);
  const address = answer.redirected ? new URL(answer.url).pathname : "";
  if (address === "/login") return out();
  if (address === "/lock") return lock.shut();
  const text = await answer.text();
  if (lock.isLocked() || asked !== question) return;
  asked = null;
  if (isNews && detail.contains(document.activeElement)) return;
  detail.innerHTML = text;
  document.body.classList.add("has-detail");
  detail.scrollTop = 0;
  question.then?.();
}

function leave() {
  document.body.classList.remove("has-detail");
  rowOf(selected)?.focus();
}

function openClosing() {
  const closing = $("[data-closing]");
  if (!closing) return;
  closing.open = true;
  closing.scrollIntoView({ block: "nearest" });
  ($("input:checked", closing) ?? $("input[type=radio]", closing)).focus();
}

const isShown = (event) => Boolean(detail && $(`[data-one="${event}"]`, detail));

const rowOf = (event) => $(`[data-event="${event}"]`);

function select(row, focus = true) {
  for (const other of $$(".event.selected")) other.classList.remove("selected");
  selected = Number(row.dataset.event);
  row.classList.add("selected");
  if (focus) {
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
}

function move(by) {
  const rows = $$(".event:not(.folded)");
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => Number(row.dataset.event) === selected);
  select(rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))]);
}

// The officer hears the sound before a word about it can be given.
async function hear() {
  const place = $("[data-heard]");
  const isHeard = await sound.test();
  place.textContent = isHeard ? place.dataset.played : place.dataset.blocked;
  place.className = isHeard ? "" : "fault";
  $("[data-needs-sound]").disabled = !isHeard;
}

const DO = {
  hear,
  take: (event) => post("/take", { id: event }),
  close: (event) => (isShown(event) && $("[data-closing]") ? openClosing() : show(event, openClosing)),
  leave,
  unfold: (event, row) => {
    for (const other of $$(".event.folded")) {
      if (known(other).group === known(row).group) known(other).isOpen = true;
    }
    fold();
  },
};

addEventListener("click", (click) => {
  const button = click.target.closest("[data-do]");
  const row = click.target.closest("[data-event]");
  if (row) select(row, false);
  if (button) DO[button.dataset.do](Number(row?.dataset.event), row);
  else if (row && !click.target.closest("button") && !click.ctrlKey && !click.metaKey) {
    click.preventDefault();
    show(Number(row.dataset.event));
  }
});

addEventListener("submit", async (submit) => {
  const form = submit.target;
  if (form.dataset.act === undefined) return;
  submit.preventDefault();
  const isDone = await post(form.getAttribute("action"), new FormData(form));
  if (!isDone) return;
  document.activeElement?.blur();
  if (form.getAttribute("action") === "/close") leave();
  else if (detail && selected) show(selected);
  else if (!detail) location.reload();
});

const isTyping = (target) => target.closest("input:not([type=radio]), textarea, select");

addEventListener("keydown", (key) => {
  if (lock.isLocked()) return;
  if (key.key === "Escape") return leave();
  if (key.key === "Enter" && key.ctrlKey) return key.target.closest("form")?.requestSubmit();
  if (key.ctrlKey || key.altKey || key.metaKey || isTyping(key.target)) return;
  if (/^[1-9]$/.test(key.key)) {
    const choice = $(`[data-closing][open] [data-key="${key.key}"]`);
    if (choice) { choice.checked = true; choice.focus(); key.preventDefault(); }
    return;
  }
  const step = { j: () => move(1), k: () => move(-1), "?": () => $("[data-help]")?.showModal() }[key.key];
  const own = selected && { t: () => DO.take(selected), c: () => DO.close(selected) }[key.key];
  const enter = key.key === "Enter" && key.target.matches?.(".event") && (() => show(selected));
  const what = step || own || enter;
  if (what) { what(); key.preventDefault(); }
});

// ---------------------------------------------------------------- the officer is there

let activeAt = 0;
for (const act of ["pointerdown", "keydown"]) {
  addEventListener(act, () => {
    if (lock.isLocked() || (performance.now() - activeAt < 60_000 && activeAt > 0)) return;
    activeAt = performance.now();
    ask("/active", { method: "POST" }).catch(() => {});
  }, { passive: true });
}

sound.start();
lock.start({ ask, clear, restore, reload, out });
follow();
$('[data-banner="sound"]').addEventListener("click", () => sound.isBlocked().then((isBlocked) => banner("sound", isBlocked)));
setInterval(tick, 1000);
tick();
fold();
