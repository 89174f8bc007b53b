// The timeline: white canvas, keyframes, artwork, and the gaps between them; what is chosen can be changed below it.

const strip = { key: "", held: false };

// From the white canvas to the artwork: pictures and, between them, segments.
function itemsOf(view) {
  const keyframes = [...view.keyframes].sort((one, other) => other.step - one.step);
  const segments = [...view.segments].sort((one, other) => other.index - one.index);
  const places = [{ kind: "canvas" }, ...keyframes.map((keyframe) => ({ kind: "keyframe", ...keyframe })), { kind: "artwork", path: view.artwork }];
  return places.flatMap((place, i) => (segments[i] ? [place, { kind: "segment", ...segments[i] }] : [place]));
}

const idOf = (item) => `${item.kind}-${item.kind === "segment" ? item.index : (item.step ?? "")}`;

function placeName(place) {
  if (place === "artwork") return say("timeline.artwork");
  if (place === "blank") return say("timeline.canvas");
  return String(Number(place));
}

function nameOf(item) {
  if (item.kind === "segment") return say("timeline.segment", { from: placeName(item.to), to: placeName(item.from) });
  if (item.kind === "keyframe") return say("timeline.keyframe", { step: item.step });
  return say(`timeline.${item.kind}`);
}

function factsOf(item) {
  const facts = [say(`state.${item.state}`)];
  if (item.own) facts.push(say("timeline.own"));
  else facts.push(say("timeline.seed", { seed: item.seed }));
  if (item.locked) facts.push(say("timeline.locked"));
  return facts.join(" · ");
}

function drawTimeline() {
  const { view, selected } = page;
  byId("timeline").hidden = !view;
  if (!view) return;
  const items = itemsOf(view);
  const ratio = (view.settings.width ?? 4) / (view.settings.height ?? 5);
  const key = JSON.stringify([items, selected, page.language, isLocked(), ratio]);
  for (const control of byId("add").elements) control.disabled = isLocked();
  byId("reroll-all").disabled = byId("four").disabled = isLocked();
  // not disabled: what has just been pressed keeps the focus
  byId("undo-edit").setAttribute("aria-disabled", String(isLocked() || !view.undoable));
  byId("redo-edit").setAttribute("aria-disabled", String(isLocked() || !view.redoable));
  if (key === strip.key || strip.held) return;
  strip.key = key;
  const focused = document.activeElement?.closest?.("#strip [data-id]")?.dataset.id;
  const scrolled = byId("strip").scrollLeft;
  byId("strip").style.setProperty("--ratio", ratio);
  byId("strip").replaceChildren(...items.map(stripItem));
  byId("strip").scrollLeft = scrolled;
  if (focused) focusOn(focused);
  drawActions(items.find((item) => idOf(item) === selected));
  markPlace();
}

const focusOn = (id) => byId("strip").querySelector(`[data-id="${id}"]`)?.focus();

function stripItem(item) {
  const id = idOf(item);
  const words = item.state ? `${nameOf(item)}, ${factsOf(item)}` : nameOf(item);
  const button = make("button", {
    type: "button", title: words, "aria-label": words, "aria-pressed": String(page.selected === id), "data-id": id,
    className: `${item.kind === "segment" ? "segment" : "picture"} ${item.state ?? "ready"}`, onclick: () => choose(item),
  }, item.kind === "segment" ? make("i") : pictureOf(item));
  if (item.kind === "keyframe") {
    acceptPicture(button, item.step);
    button.setAttribute("aria-keyshortcuts", "Delete");
  }
  const label = item.kind === "segment" ? null : make("span", { className: "label" }, item.kind === "keyframe" ? String(item.step) : nameOf(item));
  return make("li", { className: item.kind }, button, label);
}

function pictureOf(item) {
  const frame = make("span", { className: "thumb" });
  if (item.path && (item.state ?? "ready") === "ready") frame.append(make("img", { src: address(item.path), alt: "", loading: "lazy", draggable: false }));
  if (item.locked) frame.append(make("b", { className: "badge", textContent: "🔒︎" }));
  if (item.own) frame.append(make("b", { className: "badge own", textContent: "✎" }));
  return frame;
}

function choose(item) {
  page.selected = page.selected === idOf(item) ? null : idOf(item);
  if (item.state !== "missing") seekTo(item);
  draw();
}

// The frames of the ready segments lie one after another, each as many.
function filmOf(view) {
  const ready = itemsOf(view).filter((item) => item.kind === "segment" && item.state === "ready");
  return { ready, each: ready.length ? view.frames.length / ready.length : 0 };
}

function seekTo(item) {
  if (player.playing) play(false);
  player.range = null;
  const { ready, each } = filmOf(page.view);
  if (item.kind === "canvas") return goTo(0);
  if (item.kind === "artwork") return goTo(player.shots.length - 1);
  if (!each) return goTo(page.view.frames.length ? frameOf(item.step) : player.shots.indexOf(item.path));
  if (item.kind === "segment") return goTo(ready.findIndex((one) => one.index === item.index) * each);
  const items = itemsOf(page.view);
  const after = items[items.findIndex((one) => idOf(one) === idOf(item)) + 1];
  const place = ready.findIndex((one) => one.index === after?.index);
  if (place >= 0) goTo(place * each);
}

// In a film that is drawn in strokes the names of its frames tell how many operations are done.
function frameOf(step) {
  const place = page.view.frames.findIndex((path) => Number(/(\d+)\.jpg$/.exec(path)?.[1]) >= 1000 - step);
  return place < 0 ? 0 : place;
}

function previewSegment(item) {
  const { ready, each } = filmOf(page.view);
  const place = ready.findIndex((one) => one.index === item.index);
  if (place < 0) return;
  player.range = [place * each, place * each + each - 1];
  goTo(player.range[0]);
  play(true);
}

// Shows on the strip where the player is.
function markPlace() {
  if (!page.view) return;
  const { ready, each } = filmOf(page.view);
  let id = null;
  if (player.place === player.shots.length - 1) id = "artwork-";
  else if (each) id = idOf(ready[Math.min(ready.length - 1, Math.floor(player.place / each))]);
  else id = idOf(itemsOf(page.view).find((item) => item.path === player.shots[player.place]) ?? { kind: "none" });
  byId("strip").querySelectorAll(".here").forEach((found) => found.classList.remove("here"));
  byId("strip").querySelector(`[data-id="${id}"]`)?.classList.add("here");
}

function drawActions(item) {
  const bar = byId("actions");
  bar.hidden = !item;
  if (!item) return;
  const facts = item.state ? make("span", { className: "aside" }, factsOf(item)) : null;
  const focused = [...bar.children].indexOf(document.activeElement);
  bar.setAttribute("aria-label", nameOf(item));
  bar.replaceChildren(make("div", { className: "title" }, make("strong", {}, nameOf(item)), facts), ...buttonsFor(item));
  bar.children[focused]?.focus();
}

function action(key, run, { values = {}, disabled = false, danger = false } = {}) {
  return make("button", { type: "button", onclick: run, disabled, className: danger ? "danger" : "" }, say(`action.${key}`, values));
}

function buttonsFor(item) {
  const busy = isLocked();
  const ready = item.state === "ready";
  const { step, index } = item;
  if (item.kind === "segment") {
    const between = middleOf(item);
    return [
      action("preview", () => previewSegment(item), { disabled: !ready }),
      action("redo", () => reroll("redo_segment", { index }), { disabled: busy }),
      action("add.between", () => addKeyframe(between), { values: { step: between }, disabled: busy || between === null }),
    ];
  }
  if (item.kind === "artwork") return [action("open", () => openLarge(item))];
  if (item.kind === "canvas") return [];
  const locked = item.locked;
  return [
    action("reroll", () => reroll("reroll_keyframe", { step }), { disabled: busy || locked }),
    action(locked ? "unlock" : "lock", () => change("lock_keyframe", { step, locked: !locked }), { disabled: busy }),
    action("replace", () => pickPicture(step), { disabled: busy || locked }),
    action("open", () => openLarge(item), { disabled: !ready }),
    action("branch", () => branch(step, null), { disabled: !ready }),
    action("branch_seed", () => branch(step, Math.floor(Math.random() * 50001)), { disabled: !ready }),
    action("delete", () => removeKeyframe(step), { disabled: busy, danger: true }),
  ];
}

// An operation step halfway between a segment's ends, or null where nothing fits between.
function middleOf(item) {
  const near = item.from === "artwork" ? 0 : Number(item.from);
  const far = item.to === "blank" ? 999 : Number(item.to);
  const middle = Math.floor((near + far) / 2);
  return page.view.keyframes.some((keyframe) => keyframe.step === middle) ? null : middle;
}

async function addKeyframe(step) {
  await change("add_keyframe", { step });
  page.selected = page.view?.keyframes.some((keyframe) => keyframe.step === step) ? `keyframe-${step}` : page.selected;
  trigger("fill");
  draw();
}

// As many as were typed; what cannot be added stays in the field, and is named.
async function addSteps(input) {
  const present = page.view.keyframes.map((keyframe) => keyframe.step);
  const found = readSteps(input.value, present);
  const wanted = found.steps.filter((step) => !present.includes(step));
  if (found.bad.length || !(wanted.length || found.twice.length)) {
    input.setAttribute("aria-invalid", "true");
    return tell({ words: found.bad.length ? aboutSteps(found).words : () => say("steps.none"), failed: true });
  }
  input.removeAttribute("aria-invalid");
  input.value = "";
  page.note = null;
  for (const step of wanted) await addKeyframe(step);
  const { words } = aboutSteps(found);
  if (words && !page.note?.failed) tell({ words });
}

async function removeKeyframe(step) {
  if (isLocked() || !(await question(say("timeline.delete.question", { step })))) return;
  await change("delete_keyframe", { step });
  trigger("fill");
  const later = page.view.keyframes.map((keyframe) => keyframe.step).filter((other) => other < step);
  focusOn(later.length ? `keyframe-${Math.max(...later)}` : "artwork-");
}

async function takeBack(button, again) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const film = page.view.video;
  await change("take_back", { again });
  trigger("fill");
  if (film && !page.view?.video && !page.note?.failed) await change("generate", { step: "all" }); // what it was then is shown again
}

async function branch(step, seed) {
  const run = await change("branch", { step, seed });
  if (run) await show(run);
}

function openLarge(item) {
  byId("viewer-title").textContent = nameOf(item);
  byId("viewer-picture").src = address(item.path);
  byId("viewer-picture").alt = nameOf(item);
  byId("viewer").showModal();
}

function pickPicture(step) {
  const input = byId("own-picture");
  input.value = "";
  input.onchange = () => input.files[0] && replaceBy(step, input.files[0]);
  input.click();
}

async function replaceBy(step, file) {
  const sent = await send(file);
  if (sent) await change("replace_keyframe", { step, picture: sent });
}

async function send(file) {
  try {
    return (await upload(file)).path;
  } catch (error) {
    tell(failure(error));
    return null;
  }
}

function acceptPicture(button, step) {
  button.addEventListener("dragover", (event) => { event.preventDefault(); button.classList.add("over"); });
  button.addEventListener("dragleave", () => button.classList.remove("over"));
  button.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    byId("drop").hidden = true;
    const file = onlyOne([...event.dataTransfer.files]);
    if (file) replaceBy(step, file);
  });
}

// Left and right go along the strip, as along any row of buttons; Delete asks about a keyframe.
function onStripKey(event) {
  const [, keyframe] = /^keyframe-(\d+)$/.exec(document.activeElement.dataset.id) ?? [];
  if (event.key === "Delete" && keyframe) return removeKeyframe(Number(keyframe));
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  const all = [...byId("strip").querySelectorAll("[data-id]")];
  all[all.indexOf(document.activeElement) + step]?.focus();
  event.preventDefault();
}

// While something is pressed nothing is exchanged: a click counts only if it ends on what it began on.
function holdWhilePressed() {
  byId("timeline").addEventListener("pointerdown", () => { strip.held = true; });
  const release = () => strip.held && setTimeout(() => { strip.held = false; drawTimeline(); }); // after the click
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, release);
}

function startTimeline() {
  byId("add").onsubmit = (event) => {
    event.preventDefault();
    addSteps(byId("add-step"));
  };
  byId("reroll-all").onclick = () => reroll("reroll_all");
  byId("undo-edit").onclick = (event) => takeBack(event.target, false);
  byId("redo-edit").onclick = (event) => takeBack(event.target, true);
  byId("strip").addEventListener("keydown", onStripKey);
  holdWhilePressed();
  parts.push(drawTimeline);
}
