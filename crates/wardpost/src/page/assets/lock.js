// The lock: nothing of an event stays in the document, while feed, sound and banners go on. The PIN opens every tab of the login.

const dialog = document.querySelector("[data-lock]");
const form = dialog.querySelector("[data-unlock]");
const fault = dialog.querySelector("[data-fault]");

let page = null;
let isOn = false;
// The officer pressed the button, and the server has not heard of it yet.
let isAsked = false;
let isOpening = false;
// The server sends no rows, as its last beat said.
let isFeedLocked = false;

export const isLocked = () => isOn;

// The page brings `ask` (a request), `clear` (empties the page), `restore` (fetches it; true where it is there again), `reload`
// (fetches the list) and `out` (there is no login).
export function start(hooks) {
  page = hooks;
  document.querySelector("[data-lock-now]").addEventListener("submit", (submit) => {
    submit.preventDefault();
    isAsked = true;
    shut();
    tell();
  });
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    unlock();
  });
  addEventListener("keydown", (key) => { if (isOn && key.key === "Escape") key.preventDefault(); });
  // A browser may close a dialogue all the same, as with a phone's gesture.
  dialog.addEventListener("close", () => { if (isOn) dialog.showModal(); });
  if (["/lock", "/unlock"].includes(document.body.dataset.path)) shut();
}

export function shut() {
  if (isOn) return;
  isOn = true;
  page.clear();
  form.reset();
  say("");
  dialog.showModal();
}

// The word of a beat.
export function heard(isLocked) {
  const hasEnded = isFeedLocked && !isLocked;
  isFeedLocked = isLocked;
  if (isAsked) tell();
  else if (isLocked) shut();
  else if (isOn) open();
  // Changes since the PIN came without their rows.
  else if (hasEnded) page.reload();
}

async function tell() {
  const answer = await page.ask("/lock", { method: "POST" }).catch(() => null);
  // Without an answer the next beat tries again.
  if (answer && answer.status < 500) isAsked = false;
}

async function unlock() {
  say("");
  try {
    const answer = await page.ask("/unlock", { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (new URL(answer.url).pathname === "/login") return page.out();
    if (answer.ok) return await open();
    form.reset();
    say((await answer.text()).trim());
  } catch {
    say(dialog.dataset.failed);
  }
}

async function open() {
  if (!isOn || isOpening) return;
  isOpening = true;
  try {
    if (!await page.restore()) return;
    isOn = false;
    dialog.close();
  } catch {
    say(dialog.dataset.failed);
  } finally {
    isOpening = false;
  }
}

function say(text) {
  fault.textContent = text;
  fault.hidden = text === "";
}
