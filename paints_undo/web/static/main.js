// The head of the page, the line that says what happens, dropped files, and the start.

function inWords(seconds) {
  if (seconds < 90) return say("time.seconds", { count: seconds < 10 ? Math.max(1, Math.ceil(seconds)) : Math.round(seconds / 5) * 5 });
  if (seconds < 5400) return say("time.minutes", { count: Math.round(seconds / 60) });
  return say("time.hours", { count: Math.round(seconds / 360) / 10 });
}

// The bar at the foot of the page: what runs or was last said, and what can be pressed now.
function drawJob() {
  const { view } = page;
  const busy = isBusy();
  const job = busy && !page.note?.lost ? view?.job : null;
  const { what, aside, failed = false } = job ? jobWords(job) : messageWords();
  const line = byId("job");
  line.hidden = !what;
  line.classList.toggle("failed", failed);
  line.classList.toggle("done", !busy && !failed);
  if (byId("job-what").textContent !== what) byId("job-what").textContent = what;
  // Only whole sentences are announced; a counter read aloud every second helps nobody.
  line.setAttribute("aria-live", busy ? "off" : "polite");
  byId("job-aside").textContent = aside;
  const bar = byId("job-bar");
  bar.hidden = !busy;
  const outlook = job && !job.ahead && !job.cancelling ? outlookOf(job) : null;
  if (outlook) Object.assign(bar, { max: 1, value: outlook.share });
  else bar.removeAttribute("value");
  name(bar, what);
  document.title = busy ? `${outlook ? `${Math.floor(100 * outlook.share)} %` : "…"} · ${props.title}` : props.title;
  drawButtonsOfJob();
  const path = view?.thumbnail ?? form.artwork?.path;
  const image = byId("pick").querySelector("img");
  image.hidden = !path;
  if (path && image.dataset.path !== path) Object.assign(image, { src: address(path) }).dataset.path = path;
}

function drawButtonsOfJob() {
  const { view } = page;
  const busy = isBusy();
  byId("job-cancel").hidden = !(busy || isPaused());
  byId("job-cancel").disabled = !!view?.job?.cancelling;
  byId("job-pause").hidden = !busy || !view;
  byId("job-resume").hidden = !isPaused();
  byId("make").hidden = busy || isPaused();
  byId("make").classList.toggle("main", !view?.video);
  byId("download").hidden = !view?.video || busy || isPaused();
  if (view?.video) byId("download").href = address(view.video);
}

// What was pressed may be hidden, closed or gone by now: the focus goes on to what can be pressed about it at the foot of
// the page, and back when that is over.
const focus = { last: null, from: null };
const usable = (one) => one.isConnected && !one.disabled && one.checkVisibility();

function keepFocus() {
  const active = document.activeElement === document.body ? focus.last : document.activeElement;
  if (!active || document.querySelector("dialog[open]")) return;
  const inDock = byId("dock").contains(active);
  let next = null;
  if (inDock && focus.from && usable(focus.from)) {
    next = focus.from;
    focus.from = null;
  } else if (!usable(active)) {
    const there = [...byId("dock").querySelectorAll(".buttons > *")].filter(usable);
    next = there.find((one) => one.classList.contains("main")) ?? there[0];
    if (!inDock) focus.from = active;
  }
  next?.focus({ preventScroll: true });
}

function startFocus() {
  addEventListener("focusin", (event) => { focus.last = event.target; });
  addEventListener("pointerdown", () => Object.assign(focus, { last: null, from: null }), true);
  parts.push(keepFocus);
}

const shown = { job: null, share: 0 };

// How far the whole job is by now, and the seconds until its end: as Outlook.at in time_left.py has it.
function outlookOf(job) {
  if (!job.outlook) return null;
  const { share, left_s: left, next_s: next, age_s } = job.outlook;
  const waited = age_s + (performance.now() - page.viewed) / 1000;
  const units = next ? waited / next : 0;
  const begun = next * (units < 0.8 ? units : 1 - 0.04 / (units - 0.6));
  if (shown.job !== job.number) Object.assign(shown, { job: job.number, share: 0 });
  shown.share = Math.max(shown.share, left ? share + ((1 - share) * begun) / left : share);
  return { share: shown.share, left: Math.max(left - begun, left ? 0.15 * waited : 0) };
}

function jobWords(job) {
  const outlook = outlookOf(job);
  const left = outlook ? say("job.left", { time: inWords(outlook.left) }) : inWords(job.elapsed_s ?? 0);
  if (job.cancelling) return { what: say("job.cancelling"), aside: "" };
  if (job.ahead) return { what: say("job.ahead", { count: job.ahead }), aside: inWords(job.elapsed_s ?? 0) };
  const stage = say(`stage.${job.stage}` in props.texts ? `stage.${job.stage}` : "stage.loading");
  const detail = `detail.${job.detail}` in props.texts ? say(`detail.${job.detail}`) : (job.detail ?? "");
  const count = job.total > 1 ? say("job.count", job) : "";
  const more = [detail, count].filter(Boolean).join(" ");
  return { what: more ? `${stage}: ${more}` : stage, aside: left };
}

function messageWords() {
  const { note, view } = page;
  if (page.pressed) return { what: say("stage.loading"), aside: "" };
  if (note) return { what: wordsOf(note), aside: "", failed: !!(note.failed || note.lost) };
  const { values } = view?.message ?? {};
  const key = isPaused() && view.message?.key !== "unfinished" ? "paused" : view?.message?.key;
  if (!key) return { what: "", aside: "" };
  const words = { ...values };
  if (words.name) words.recipe = say(`recipe.${words.name}`);
  return { what: say(`message.${key}`, words), aside: "", failed: ["failed", "export_failed", "internal_error"].includes(key) };
}

async function drawHead() {
  const bar = byId("toolbar");
  const languages = Object.entries(props.languages).map(([code, words]) => make("option", { value: code, textContent: words, lang: code }));
  const choice = make("select", { id: "language", "data-name": "page.language", onchange: (event) => { keep("language", event.target.value); speak(event.target.value); } }, ...languages);
  choice.value = page.language;
  const button = (id, words, pressed) => make("button", { type: "button", id, "data-text": words, onclick: pressed });
  bar.replaceChildren(
    button("open-history", "page.history", openHistory),
    make("button", { type: "button", id: "theme", "data-name": "page.theme", textContent: "◐", onclick: changeTheme }),
    choice);
}

function speak(language) {
  page.language = language;
  document.documentElement.lang = language;
  translate();
  trigger("reword");
  play(player.playing);
  draw();
  drawShot();
  drawFamily();
  document.querySelectorAll(".field-note, #refused").forEach((note) => note.reword?.());
  speakGradio();
  if (page.view) look(true); // what the server says
}

// What draws, as a chip; opened, what else there is, and on request the command for it. What is missing stands open.
async function drawFamily() {
  const { sentences, missing, name: family } = (await ask("family").catch(() => null)) ?? {};
  if (!sentences) return;
  const place = byId("family");
  const [draws, other, how] = sentences.map(withCommands);
  if (missing) return place.replaceChildren(make("span", { className: "missing", role: "alert" }, ...draws));
  const open = place.querySelector("details")?.open;
  place.replaceChildren(make("details", { open: !!open },
    make("summary", {}, say("family.chip", { family })),
    make("div", { className: "sheet" }, make("p", {}, ...draws), make("p", {}, ...other),
      how ? make("details", {}, make("summary", {}, say("family.how")), make("p", {}, ...how)) : null)));
}

// A sentence in which the words between backquotes are commands.
const withCommands = (sentence) => sentence.split("`").map((words, odd) => (odd % 2 ? make("code", {}, words) : words));

function changeTheme() {
  const dark = document.body.classList.toggle("dark");
  keep("theme", dark ? "dark" : "light");
}

async function follow() {
  const pause = () => (isBusy() ? 500 : document.hidden ? 10000 : 3000);
  for (;;) {
    for (let waited = 0; waited < pause(); waited += 250) await sleep(250); // a job that begins is not waited for
    if (page.run && !page.pressed) await look();
    else followShelf();
  }
}

async function start() {
  while (!byId("toolbar") || !byId("steps") || !byId("adjust")) await sleep(30);
  if (kept("theme") && !new URLSearchParams(location.search).has("__theme")) document.body.classList.toggle("dark", kept("theme") === "dark");
  startPlayer();
  startTimeline();
  startHistory();
  startForm();
  startFields();
  startWelcome();
  startShare();
  startShelf();
  startGradio();
  byId("job-cancel").onclick = () => change("cancel");
  byId("job-pause").onclick = () => change("pause");
  byId("job-resume").onclick = () => change("resume");
  parts.push(drawJob, drawExports);
  startFocus(); // last, when all is drawn
  await drawHead();
  speak(page.language);
  acceptFiles();
  element.dataset.ready = "true";
  if (page.run) await show(page.run);
  draw();
  await offerUnfinished();
  follow();
}

start();
