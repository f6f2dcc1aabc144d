// The feed, in a worker, whose timers no browser slows down. One tab of a browser holds the connection and shares it: a browser
// opens six connections to a server at most. Every message has the number of its change: what is missing is fetched, and what
// comes twice is passed over.

const LOCK = "wardpost-feed";
// Silence after which the page is blind: the server sends every 3 s.
const SILENT_MS = 10_000;
const REOPEN_MS = 2_000;

const channel = new BroadcastChannel("wardpost-feed");
let cursor = 0;
let heard = performance.now();
let isBlind = false;
let isFetching = false;
let clock = "";

onmessage = ({ data }) => {
  cursor = data.cursor;
  channel.onmessage = (message) => take(message.data);
  navigator.locks.request(LOCK, () => new Promise(open));
  setInterval(look, 1000);
  fetchMissed();
};

function open() {
  const source = new EventSource(`/feed?after=${cursor}`);
  const share = (kind) => ({ data }) => {
    const message = { kind, ...JSON.parse(data), ...(kind === "change" ? { change: JSON.parse(data).kind, kind } : {}) };
    channel.postMessage(message);
    take(message);
  };
  for (const kind of ["change", "beat", "anew", "out"]) source.addEventListener(kind, share(kind));
  // The browser itself connects again after a broken connection, but not after a refusal.
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(open, REOPEN_MS);
  };
}

function take(message) {
  heard = performance.now();
  if (isBlind) {
    isBlind = false;
    postMessage({ kind: "seeing" });
  }
  if (message.kind === "change") {
    if (message.number <= cursor) return;
    if (message.number !== cursor + 1) {
      fetchMissed();
      return;
    }
    cursor = message.number;
  }
  if (message.kind === "beat") {
    clock = message.clock;
    if (message.cursor > cursor) fetchMissed();
  }
  postMessage(message);
}

// Changes that this tab has not got, in order, straight from the server.
async function fetchMissed() {
  if (isFetching) return;
  isFetching = true;
  try {
    for (;;) {
      const answer = await fetch(`/changes?after=${cursor}`, { headers: { accept: "application/json" } });
      if (!answer.ok) break;
      const found = await answer.json();
      if (found.anew) {
        cursor = found.cursor;
        postMessage({ kind: "anew" });
        break;
      }
      for (const message of found.messages) {
        if (message.number <= cursor) continue;
        cursor = message.number;
        postMessage({ ...message, change: message.kind, kind: "change" });
      }
      const isLast = found.messages.length === 0;
      cursor = Math.max(cursor, found.cursor);
      if (isLast) break;
    }
  } catch {
    // The server is away: the next message, or the next beat, asks again.
  } finally {
    isFetching = false;
  }
}

function look() {
  if (isBlind || performance.now() - heard < SILENT_MS) return;
  isBlind = true;
  postMessage({ kind: "blind", since: clock });
}
