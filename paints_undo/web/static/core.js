// What the other scripts share: words, the one door to the server, the run on show, and small helpers.
// They run as one script in gradio's HTML component, which gives them: element, trigger, props, server, upload.

const byId = (name) => document.getElementById(name);
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const KEPT = "paints-undo-";

function kept(name) {
  return sessionStorage.getItem(KEPT + name) ?? localStorage.getItem(KEPT + name);
}

function keep(name, value) {
  for (const store of [sessionStorage, localStorage]) {
    if (value === null) store.removeItem(KEPT + name);
    else store.setItem(KEPT + name, value);
  }
}

// A secret that only this browser has: runs of other visitors stay theirs.
function visitorSecret() {
  let secret = localStorage.getItem(KEPT + "visitor");
  if (!secret) {
    secret = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(KEPT + "visitor", secret);
  }
  return secret;
}

const page = {
  visitor: visitorSecret(),
  language: kept("language") in props.languages ? kept("language") : browsersLanguage(),
  run: kept("run"),
  view: null, // what the server says about the run
  viewed: 0, // when it said so
  selected: null, // {kind: "keyframe" | "segment", id} on the timeline
  note: null, // {key} or {words: () => a sentence, failed}: what the page itself has to say
  pressed: false, // a request of one of the three buttons is on its way
};

function browsersLanguage() {
  const ours = Object.keys(props.languages);
  for (const wanted of navigator.languages || [navigator.language]) {
    if (/^zh\b.*(hant|tw|hk|mo)/i.test(wanted)) return "zh-TW";
    const near = ours.includes(wanted) ? wanted : ours.find((code) => code.split("-")[0] === wanted.split("-")[0]);
    if (near) return near;
  }
  return "en";
}

function say(key, values = {}) {
  const text = props.texts[key]?.[page.language] ?? props.texts[key]?.en ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// Everything that is marked with data-text (what it says) or data-name (what a screen reader and a tooltip say).
function translate(root = document) {
  root.querySelectorAll("[data-text]").forEach((found) => (found.textContent = say(found.dataset.text)));
  root.querySelectorAll("[data-name]").forEach((found) => name(found, say(found.dataset.name)));
  root.querySelectorAll("[data-seconds]").forEach((found) => (found.textContent = say("share.seconds", { count: found.value })));
}

function name(found, words) {
  found.setAttribute("aria-label", words);
  if (found.matches("button, a, input, select")) found.title = words;
}

function make(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function address(path) {
  return `gradio_api/file=${encodeURIComponent(path).replaceAll("%2F", "/")}`;
}

class Refused extends Error {}

async function ask(what, args = {}) {
  let answer;
  try {
    answer = await server.ask({ do: what, visitor: page.visitor, language: page.language, args });
  } catch {
    answer = null;
  }
  if (!answer) throw new Error();
  if (answer.error) throw Object.assign(answer.internal ? new Error(answer.error) : new Refused(answer.error), { said: answer.said });
  return answer.result;
}

const isBusy = () => page.pressed || ["waiting", "running"].includes(page.view?.state);
const isDrawing = () => isBusy() && ["tags", "keyframes", "segments", "video"].includes(page.view?.job?.stage); // not exporting
const isPaused = () => page.view?.state === "paused";
const isLocked = () => isBusy() || (isPaused() && !!page.view.job); // no edits while a job has the run in hand

// The parts of the page that show the view; each is called whenever something may have changed.
const parts = [];
const draw = () => parts.forEach((part) => part());

// What to say of an error, in whatever language the page has by then; without words of its own the server is silent.
const failure = ({ said, message }) => ({ words: () => said?.[page.language] || message || say("message.connection"), failed: true });
const wordsOf = (note) => note.words?.() ?? say(note.key);

function tell(note) {
  page.note = note;
  draw();
}

// One request about the run on show: its answer, or undefined after its error was shown.
async function change(what, args = {}) {
  try {
    const answer = await ask(what, { run_id: page.run, ...args });
    page.note = null;
    await look(true);
    return answer;
  } catch (error) {
    tell(failure(error));
    return undefined;
  }
}

// Answers can overtake each other on a busy server: one that was asked for before the view on show is thrown away.
const looks = { asked: 0, shown: 0 };

async function look(anew = false) {
  if (!page.run) return draw();
  const asked = page.run;
  const turn = (looks.asked += 1);
  try {
    const view = await ask("view", { run_id: asked, known: anew || (props.in_strokes && isBusy()) ? null : (page.view?.version ?? null) });
    if (asked !== page.run || turn < looks.shown) return;
    looks.shown = turn;
    if (page.note?.lost) page.note = null;
    if (view) {
      noticeChange(page.view, view);
      page.view = view;
      page.viewed = performance.now();
    }
  } catch (error) {
    if (asked !== page.run || turn < looks.shown) return;
    if (error instanceof Refused) leave();
    else page.note = { ...failure(error), lost: true };
  }
  draw();
}

// What the tagger or an edit of the timeline changed goes into the form, or the next press would change it back; what
// the person typed elsewhere stays.
function noticeChange(before, after) {
  if (before?.run !== after.run) return;
  const told = ({ settings }, field) => JSON.stringify(settings[field]);
  form.changed = props.fields.filter((field) => told(before, field) !== told(after, field));
  if (form.changed.length) setTimeout(() => trigger("changed"));
}

async function show(run, { form = true } = {}) {
  page.run = run;
  page.view = null;
  page.selected = null;
  page.note = null;
  keep("run", run);
  await look(true);
  if (form && page.view) trigger("fill");
}

function leave() {
  page.run = page.view = page.selected = form.artwork = null;
  keep("run", null);
}
