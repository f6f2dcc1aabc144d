// The page: keeps the list as the feed says, asks the server for every step, and sounds. What an event is, the server words.

import * as sound from "./sound.js";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const role = document.body.dataset.role;
const list = $("[data-list]");
const detail = $("[data-detail]");
const token = $("meta[name=form-token]").content;

// The server's time, as microseconds since 1970, by the browser's monotonic clock: a wrong clock of this computer changes nothing.
let serverNow = list ? Number(list.dataset.now) : 0;
let serverNowAt = performance.now();
let selected = null;
let flood = false;

const now = () => serverNow + (performance.now() - serverNowAt) * 1000;

// ---------------------------------------------------------------- feed

// Until the first word of the server: the page arrives with its banner, which shows itself after a moment.
let isBlind = true;
let isTold = false;

// Starts the feed. A worker that cannot be loaded, since the server went away meanwhile, leaves the page blind until one can.
function follow() {
  const worker = new Worker("/assets/feed.js", { type: "module" });
  worker.postMessage({ cursor: Number(list?.dataset.cursor ?? document.body.dataset.cursor ?? Number.MAX_SAFE_INTEGER) });
  worker.onmessage = ({ data }) => {
    if (isBlind && data.kind !== "blind") seeing();
    ({ change, beat, blind, anew: reload, out }[data.kind]?.(data));
  };
  worker.onerror = () => {
    worker.terminate();
    if (!isTold) blind({ since: $("[data-clock]").textContent });
    setTimeout(follow, 2000);
  };
}

function change(message) {
  dispatchEvent(new Event("wardpost-change"));
  if (message.row !== undefined) put(message);
  const isNew = message.state === "new" && message.tab === "open";
  if (message.change === "arrived" && isNew && role !== "commander") sound.play(message.severity);
  if (message.change === "grew" && isNew && role !== "commander") sound.play("notice");
  if (message.change === "escalated" && (role !== "commander" || message.level >= 2)) sound.play(message.severity, message.level);
  if (message.change === "shelves") sound.play("shelf");
  const one = detail && $("[data-one]", detail);
  if (one && Number(one.dataset.one) === message.event && !detail.contains(document.activeElement)) show(message.event);
}

function beat(message) {
  [serverNow, serverNowAt] = [message.now, performance.now()];
  for (const [tab, count] of Object.entries(message.counts ?? {})) {
    for (const place of $$(`[data-count="${tab}"]`)) [place.textContent, place.hidden] = [count, false];
  }
  for (const place of $$('[data-count="/"]')) [place.textContent, place.hidden] = [message.counts?.open ?? 0, !message.counts?.open];
  for (const place of $$('[data-count="/shelves"]')) [place.textContent, place.hidden] = [message.counts?.shelved ?? 0, !message.counts?.shelved];
  banner("broker", message.broker);
  if (message.broker && !beat.broker) sound.play("blind");
  beat.broker = message.broker;
  $("[data-clock]").textContent = message.clock ?? "";
  setFlood(message.flood);
  tellLink(message);
  if (message.away !== beat.away) dispatchEvent(new Event("wardpost-change"));
  beat.away = message.away;
  if (message.locked && document.body.dataset.path !== "/lock") lock();
  else if (!message.locked) document.body.classList.remove("locked");
  sound.isBlocked().then((isBlocked) => banner("sound", isBlocked));
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

function lock() {
  document.body.classList.add("locked");
}

// Shows a banner; a text goes into its place for the time.
function banner(name, shown) {
  const place = $(`[data-banner="${name}"]`);
  place.hidden = !shown;
  const since = $("[data-since]", place);
  if (since) since.textContent = shown || "";
}

// ---------------------------------------------------------------- list

// Puts a row where it belongs: severity first, then the oldest. Closed events are in the order of their closing.
function put(message) {
  if (!list) return;
  const before = $(`[data-event="${message.event}"]`, list);
  const asked = new URLSearchParams(location.search);
  const [only, ofBox] = [asked.get("camera"), asked.get("box")];
  const isHere = message.tab === list.dataset.list
    && (only ? only === message.camera : !ofBox || message.camera.startsWith(`${ofBox}/`));
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
  if (before) before.remove();
  else row.classList.add("fresh");
  const isBefore = (other) => list.dataset.list === "closed"
    || Number(row.dataset.rank) > Number(other.dataset.rank)
    || (row.dataset.rank === other.dataset.rank && Number(row.dataset.first) < Number(other.dataset.first));
  const next = $$("[data-event]", list).find(isBefore);
  list.insertBefore(row, next ?? $(".empty", list));
  if (selected === message.event) select(row, hadFocus);
  fold();
  tick();
}

function take(row) {
  const next = row.nextElementSibling?.dataset.event ? row.nextElementSibling : row.previousElementSibling;
  const hadFocus = row.contains(document.activeElement);
  const wasSelected = selected === Number(row.dataset.event);
  row.remove();
  if (wasSelected) {
    selected = null;
    if (next?.dataset?.event) select(next, hadFocus);
  }
  fold();
}

async function reload() {
  dispatchEvent(new Event("wardpost-change"));
  if (!list) return;
  const address = new URL(location.href);
  address.searchParams.set("part", "1");
  const answer = await ask(address);
  if (!answer.ok) return;
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  list.replaceChildren(...$("[data-list]", template.content).childNodes);
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
  fold();
}

function fold() {
  if (!list) return;
  const first = new Map();
  for (const row of $$("[data-event]", list)) {
    const key = `${row.dataset.rank} ${row.dataset.source} ${row.dataset.rule}`;
    const isFolded = flood && list.dataset.list === "open" && row.dataset.severity !== "critical"
      && row.dataset.state === "new" && first.has(key) && row.dataset.open === undefined;
    row.classList.toggle("folded", isFolded);
    if (isFolded) first.get(key).count += 1;
    else if (!first.has(key)) first.set(key, { row, count: 0 });
  }
  for (const { row, count } of first.values()) {
    $(".more", row)?.remove();
    if (count === 0) continue;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more small";
    more.dataset.do = "unfold";
    more.textContent = `+ ${count}`;
    $(".meta", row).append(" ", more);
  }
}

// Ages and overdue marks: display only.
function tick() {
  for (const age of $$("[data-since]", list ?? document)) {
    if (!age.classList.contains("age")) continue;
    const seconds = Math.max(0, Math.floor((now() - Number(age.dataset.since)) / 1e6));
    age.textContent = duration(seconds);
    const isOverdue = age.dataset.due && now() > Number(age.dataset.due);
    const row = age.closest("[data-event]");
    row.classList.toggle("is-overdue", Boolean(isOverdue));
    const mark = $(".overdue", row);
    if (mark && age.dataset.due) mark.hidden = !isOverdue;
  }
}

function duration(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)}`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

// ---------------------------------------------------------------- steps

export function ask(address, options = {}) {
  const headers = { accept: "text/plain", "x-form-token": token, ...options.headers };
  return fetch(address, { ...options, headers });
}

async function post(path, fields) {
  try {
    const answer = await ask(path, { method: "POST", body: new URLSearchParams(fields) });
    if (answer.status === 401) return out();
    if (answer.status === 423) return lock();
    toast((await answer.text()).trim(), answer.ok);
    return answer.ok;
  } catch {
    toast($("[data-toast]").dataset.failed, false);
    return false;
  }
}

export function toast(text, isGood) {
  const place = $("[data-toast]");
  place.textContent = text;
  place.className = isGood ? "toast good" : "toast bad";
  place.hidden = text === "";
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { place.hidden = true; }, isGood ? 3000 : 8000);
}

async function show(event, then) {
  if (!detail) return location.assign(`/event?id=${event}`);
  const answer = await ask(`/event?id=${event}&part=1`, { headers: { accept: "text/html" } });
  if (!answer.ok) return toast((await ask(`/event?id=${event}`).then((plain) => plain.text())).trim(), false);
  const address = answer.redirected ? new URL(answer.url).pathname : "";
  if (address === "/login") return out();
  if (address === "/lock") return lock();
  detail.innerHTML = await answer.text();
  document.body.classList.add("has-detail");
  detail.scrollTop = 0;
  then?.();
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

const DO = {
  take: (event) => post("/take", { id: event }),
  close: (event) => show(event, openClosing),
  leave,
  unfold: (event, row) => {
    for (const other of $$(".event.folded")) {
      if (other.dataset.source === row.dataset.source && other.dataset.rule === row.dataset.rule) other.dataset.open = "";
    }
    fold();
  },
};

addEventListener("click", (click) => {
  const button = click.target.closest("[data-do]");
  const row = click.target.closest("[data-event]");
  if (row) select(row, false);
  if (button) DO[button.dataset.do](Number(row?.dataset.event), row);
  else if (row && !click.target.closest("button, .meta a") && !click.ctrlKey && !click.metaKey) {
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
    if (performance.now() - activeAt < 60_000 && activeAt > 0) return;
    activeAt = performance.now();
    ask("/active", { method: "POST" }).catch(() => {});
  }, { passive: true });
}

sound.start();
follow();
$('[data-banner="sound"]').addEventListener("click", () => sound.isBlocked().then((isBlocked) => banner("sound", isBlocked)));
setInterval(tick, 1000);
tick();
fold();
