// Several runs side by side: pictures that were dropped together, one picture by several seeds, and what was left while
// it was being drawn. Each draws on whatever is on show; a press shows it large.

const shelf = { runs: (kept("shelf") ?? "").split(" ").filter(Boolean), rows: [], key: "", asked: 0, version: 0 };
const MOST_ON_SHELF = 16;

function putOnShelf(runs) {
  shelf.runs = [...new Set([...runs, ...shelf.runs])].slice(0, MOST_ON_SHELF);
  keepShelf();
}

function keepShelf() {
  keep("shelf", shelf.runs.length ? shelf.runs.join(" ") : null);
  shelf.asked = 0;
  followShelf();
}

function clearShelf() {
  shelf.runs = [];
  keepShelf();
  byId("make").focus();
}

const atWork = (row) => ["waiting", "running"].includes(row.state);

// Asked for about once a second while something on it is at work, and when the run on show has changed.
async function followShelf() {
  const now = performance.now();
  const version = shelf.runs.includes(page.run) ? (page.view?.version ?? shelf.version) : shelf.version;
  const news = version !== shelf.version || shelf.rows.some(atWork);
  if (shelf.runs.length && shelf.asked && (now - shelf.asked < 1000 || !news)) return drawShelf();
  Object.assign(shelf, { asked: now, version });
  if (shelf.runs.length) shelf.rows = await ask("side_by_side", { run_ids: shelf.runs }).catch(() => shelf.rows);
  else shelf.rows = [];
  drawShelf();
}

function drawShelf() {
  byId("shelf").hidden = shelf.runs.length < 2;
  const key = JSON.stringify([shelf.rows, page.run, page.language]);
  if (byId("shelf").hidden || key === shelf.key) return;
  shelf.key = key;
  const list = byId("shelf").querySelector("ol");
  const focused = document.activeElement?.closest?.("#shelf [data-run]")?.dataset.run;
  list.replaceChildren(...shelf.rows.map((row) => cardOf(row, list.querySelector(`video[data-path="${row.film}"]`))));
  if (focused) list.querySelector(`button[data-run="${focused}"]`)?.focus();
}

// film: the element that plays it already, which goes on playing.
function cardOf(row, film) {
  const words = [row.title || say("timeline.artwork"), row.seed === null ? "" : say("timeline.seed", { seed: row.seed }), say(`run.${row.state}`)].filter(Boolean);
  const label = words.join(", ");
  const shows = row.film ? (film ?? filmOfCard(row)) : make("img", { src: address(row.preview ?? row.thumbnail), alt: "" });
  const open = make("button", { type: "button", className: "shot", title: label, "aria-label": label, "aria-pressed": String(row.run === page.run), "data-run": row.run, onclick: () => show(row.run) }, shows);
  const bar = make("progress", { "aria-label": label, hidden: !atWork(row) });
  if (row.share !== null) Object.assign(bar, { max: 1, value: row.share });
  const cancel = atWork(row) ? make("button", { type: "button", className: "close", title: say("button.cancel"), "aria-label": `${say("button.cancel")}: ${label}`, onclick: () => cancelOn(row) }, "✕") : null;
  return make("li", { className: row.state }, open, cancel, bar, make("strong", {}, words[0]), make("span", { className: "aside" }, words.slice(1).join(" · ")));
}

function filmOfCard({ film: path, thumbnail }) {
  const film = make("video", { src: address(path), poster: address(thumbnail), muted: true, loop: true, playsInline: true, preload: "metadata", autoplay: !welcomed.reduced, "data-path": path });
  film.setAttribute("aria-hidden", "true");
  return film;
}

async function cancelOn(row) {
  await asked("cancel", { run_id: row.run });
  keepShelf();
}

// The run on show and three more of the same picture by other seeds, all drawn now.
async function drawFour() {
  const runs = await change("recipe", { name: "many" });
  if (!runs) return;
  putOnShelf(runs);
  const others = runs.filter((run) => run !== page.run || !(isBusy() || page.view?.video));
  for (const run of others) await asked("generate", { run_id: run, step: "all" });
  await look(true);
  keepShelf();
  byId("shelf").scrollIntoView({ behavior: welcomed.reduced ? "auto" : "smooth", block: "nearest" });
}

// Old beside new after another seed was drawn: what is better stays.

const choice = { run: null, before: [] };

async function reroll(what, args = {}) {
  const before = page.view;
  if ((await change(what, args)) === undefined && page.note?.failed) return;
  const changed = page.view.keyframes.some(({ state }) => state !== "ready") || page.view.segments.some(({ state }) => state !== "ready");
  if (!before.video || !changed) return;
  Object.assign(choice, { run: page.run, before: before.keyframes, version: page.view.undoable });
  await change("generate", { step: "all" });
}

function drawChoice() {
  const place = byId("choice");
  const { view } = page;
  const there = choice.run !== null && choice.run === page.run && view?.undoable === choice.version;
  const pairs = there && !isBusy() && view.video ? pairsOf(view) : [];
  const key = JSON.stringify([pairs, page.language]);
  place.hidden = !pairs.length;
  if (key === choice.key) return;
  choice.key = key;
  const row = (which, words) => make("div", { className: "row" }, make("span", { className: "aside" }, say(words)), ...pairs.map((pair) => make("img", { src: address(pair[which]), alt: say("timeline.keyframe", { step: pair.step }) })));
  place.querySelector(".rows").replaceChildren(row("before", "choice.before"), row("now", "choice.now"));
}

// Keyframes that look otherwise than before, first stroke first.
function pairsOf(view) {
  const old = new Map(choice.before.map((keyframe) => [keyframe.step, keyframe.path]));
  const pairs = view.keyframes.map(({ step, path }) => ({ step, before: old.get(step), now: path }));
  return pairs.filter(({ before, now }) => before && now && before !== now).sort((one, other) => other.step - one.step);
}

function endChoice() {
  choice.run = null;
  draw();
  byId("play").focus();
}

async function takeBackChoice() {
  endChoice();
  await takeBack(byId("undo-edit"), false);
}

function startShelf() {
  byId("shelf").querySelector(".close").onclick = clearShelf;
  byId("four").onclick = drawFour;
  byId("choice-keep").onclick = endChoice;
  byId("choice-back").onclick = takeBackChoice;
  parts.push(followShelf, drawChoice);
}
