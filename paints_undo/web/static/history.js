// Past runs: thumbnails as a tree of branches; open, continue, duplicate, delete after a question.

function depthOf(run, all) {
  let depth = 0;
  for (let parent = run.parent; parent && depth < 6; depth += 1) {
    const found = all.find((other) => other.run === parent);
    if (!found) break;
    parent = found.parent;
  }
  return depth;
}

// Newest first; what branched from a run stands below it.
function asTree(all) {
  const below = (parent) => all.filter((run) => run.parent === parent).flatMap((run) => [run, ...below(run.run)]);
  const roots = all.filter((run) => !all.some((other) => other.run === run.parent));
  return roots.flatMap((run) => [run, ...below(run.run)]);
}

async function openHistory() {
  await drawHistory();
  if (!byId("history").open) byId("history").showModal();
}

async function drawHistory() {
  const all = await asked("runs");
  if (!all) return;
  const rows = asTree(all).map((run) => runRow(run, depthOf(run, all)));
  const focused = [...byId("runs").querySelectorAll("button")].indexOf(document.activeElement);
  byId("runs").replaceChildren(...(rows.length ? rows : [make("li", { className: "nothing" }, say("history.empty"))]));
  if (focused >= 0) ([...byId("runs").querySelectorAll("button")].slice(0, focused + 1).at(-1) ?? byId("history").querySelector(".close")).focus();
}

function runRow(run, depth) {
  const when = new Date(run.created * 1000).toLocaleString(page.language, { dateStyle: "medium", timeStyle: "short" });
  const facts = [say(`run.${run.state}`), run.seed === null ? null : say("timeline.seed", { seed: run.seed }), run.frame_count ? say("history.frames", { count: run.frame_count }) : null, depth ? `↳ ${say("history.from")}` : null];
  const button = (key, pressed, className = "") => make("button", { type: "button", className, onclick: pressed }, say(key));
  const goesOn = run.state === "paused";
  const thumbnail = make("button", { type: "button", className: "thumb", "aria-label": `${say("history.open")}: ${run.title || when}`, onclick: () => openRun(run) });
  if (run.thumbnail) thumbnail.append(make("img", { src: address(run.thumbnail), alt: "", loading: "lazy" }));
  return make("li", { className: run.run === page.run ? "run present" : "run", style: `--depth: ${depth}` }, thumbnail,
    make("div", { className: "facts" }, nameField(run, when), make("span", { className: "aside" }, when),
      make("span", { className: `aside state ${run.state}` }, facts.filter(Boolean).join(" · "))),
    make("div", { className: "drawn", "aria-hidden": "true" }, ...run.drawn.map((path) => make("img", { src: address(path), alt: "", loading: "lazy" }))),
    make("div", { className: "group end" },
      button("history.open", () => openRun(run), "main"),
      goesOn ? button("button.resume", () => continueRun(run)) : null,
      button("action.duplicate", () => duplicateRun(run)),
      button("action.delete", () => deleteRun(run), "danger")));
}

// The name of a run is typed where it stands.
function nameField(run, when) {
  const rename = (event) => asked("rename", { run_id: run.run, title: event.target.value });
  return make("input", { className: "name", value: run.title, placeholder: when, maxLength: 100, "aria-label": say("history.name"), title: say("history.name"), onchange: rename });
}

// A request about another run than the one on show.
async function asked(what, args = {}) {
  try {
    return (await ask(what, args)) ?? true;
  } catch (error) {
    tell(failure(error));
    return null;
  }
}

async function openRun(run) {
  byId("history").close();
  await show(run.run);
}

async function continueRun(run) {
  if (byId("history").open) byId("history").close();
  await show(run.run);
  await change("resume");
}

async function duplicateRun(run) {
  if (await asked("duplicate", { run_id: run.run })) await drawHistory();
}

async function deleteRun(run) {
  if (!(await question(say("history.delete.question")))) return;
  if (!(await asked("delete", { run_id: run.run }))) return;
  if (run.run === page.run) {
    leave();
    form.emptied = true; // its artwork is gone with it
    trigger("fill");
    draw();
  }
  await drawHistory();
}

function question(words, yes = "action.delete") {
  byId("question-text").textContent = words;
  byId("question-yes").textContent = say(yes);
  const before = document.activeElement; // gets the focus back, but for a picture that was drawn anew meanwhile
  byId("question").onclose = () => before.isConnected || focusOn(before.dataset.id);
  byId("question").showModal();
  byId("question-no").focus();
  return new Promise((answered) => {
    const finish = (answer) => () => { byId("question").close(); answered(answer); };
    byId("question-yes").onclick = finish(true);
    byId("question-no").onclick = finish(false);
    byId("question").oncancel = () => answered(false);
  });
}

// What a restart of the program or a pause left unfinished is offered, never started by itself.
async function offerUnfinished() {
  let runs = [];
  try {
    runs = await ask("unfinished");
  } catch {
    return;
  }
  const run = runs.find((one) => one.run === page.run) ?? runs[0];
  if (!run || run.run === page.run) return; // the run on show has its own Continue button
  const notice = byId("notice");
  const close = () => { notice.hidden = true; draw(); };
  notice.replaceChildren(
    run.thumbnail ? make("img", { src: address(run.thumbnail), alt: "" }) : null,
    make("span", { "data-text": "unfinished.offer" }),
    make("button", { type: "button", className: "main", onclick: () => { close(); continueRun(run); }, "data-text": "button.resume" }),
    make("button", { type: "button", onclick: close, "data-text": "unfinished.later" }));
  translate(notice);
  notice.hidden = false;
}

function startHistory() {
  for (const dialog of element.querySelectorAll("dialog")) {
    dialog.querySelector(".close")?.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.id !== "question" && dialog.close());
  }
}
