// Sounds of the page, made by the browser: nothing is loaded. One tab of a browser sounds, that which holds the lock.

const LOCK = "wardpost-sound";
// Tones of each sound: frequency in hertz, start and length in seconds. Shape and number differ, not only the pitch.
const SOUNDS = {
  critical: [[880, 0, 0.18], [660, 0.2, 0.18], [880, 0.4, 0.18], [660, 0.6, 0.18], [880, 0.8, 0.3]],
  warning: [[660, 0, 0.2], [660, 0.3, 0.2]],
  notice: [[520, 0, 0.15]],
  blind: [[220, 0, 0.5], [180, 0.6, 0.5], [220, 1.2, 0.5], [180, 1.8, 0.8]],
  shelf: [[440, 0, 0.12], [550, 0.16, 0.2]],
};
const LOUDNESS = [0.25, 0.6, 0.8, 1];
// Time within which a browser that allows sound begins it.
const BEGIN_MS = 2_000;

let context = null;
let isHolder = false;
// Sounds that are heard: the end of each, on the context's clock, and its level.
const heard = {};

function unlock() {
  context ??= new AudioContext();
  context.resume().then(hold, () => {});
}

// Called at every gesture, and once at the start: browsers that allow sound need no gesture.
function hold() {
  if (context?.state !== "running" || isHolder) return;
  isHolder = true;
  navigator.locks.request(LOCK, () => new Promise(() => {})).catch(() => { isHolder = false; });
}

async function holdsLock() {
  const { held } = await navigator.locks.query();
  return held.some((lock) => lock.name === LOCK);
}

export function start() {
  for (const gesture of ["pointerdown", "keydown"]) addEventListener(gesture, unlock, { passive: true });
  unlock();
}

// True where neither this tab nor another one of the browser can sound.
export async function isBlocked() {
  return context?.state !== "running" && !(await holdsLock());
}

// Plays the critical sound at once. True where it sounds from this tab.
export async function test() {
  unlock();
  // Where sound is blocked, the browser does not answer.
  await Promise.race([context.resume().catch(() => {}), new Promise((over) => { setTimeout(over, BEGIN_MS); })]);
  play("critical");
  return context.state === "running";
}

// Plays a sound: louder, and more often, on each level of escalation. All of it is scheduled at once; no timer is needed. The same
// sound over itself would be noise.
export function play(name, level = 0) {
  const page = document.documentElement;
  page.dataset.sounds = String(Number(page.dataset.sounds ?? 0) + 1);
  page.dataset.sound = `${name} ${level}`;
  if (context?.state !== "running") return;
  const tones = SOUNDS[name] ?? SOUNDS.notice;
  const length = Math.max(...tones.map(([, start, seconds]) => start + seconds)) + 0.5;
  if (context.currentTime < heard[name]?.until && level <= heard[name].level) return;
  heard[name] = { until: context.currentTime + (level + 1) * length, level };
  for (let round = 0; round <= level; round += 1) {
    for (const [frequency, start, seconds] of tones) {
      tone(frequency, context.currentTime + round * length + start, seconds, LOUDNESS[Math.min(level, 3)]);
    }
  }
}

function tone(frequency, start, seconds, loudness) {
  const oscillator = new OscillatorNode(context, { frequency, type: "triangle" });
  const gain = new GainNode(context, { gain: 0 });
  gain.gain.setValueAtTime(0, start);
  gain.gain.linearRampToValueAtTime(loudness, start + 0.02);
  gain.gain.setValueAtTime(loudness, start + seconds - 0.04);
  gain.gain.linearRampToValueAtTime(0, start + seconds);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(start);
  oscillator.stop(start + seconds);
}
