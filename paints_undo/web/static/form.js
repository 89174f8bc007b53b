// The form on the left: gradio's widgets, filled from the run on show and read when a button is pressed.

const form = { artwork: null, reading: null, making: null, dropped: null, emptied: false, changed: [], prompt: "", pieces: false, restored: null };
const WINDOW = 75; // tokens that the text encoder reads at a time
const unchanged = { __type__: "update" };
const isCanvasSize = (name) => name === "width" || name === "height";

// The settings in the order of props.fields, as the widgets hold them, under the names that the server knows.
function settingsFrom(values) {
  const settings = Object.fromEntries(props.fields.map((field, place) => [field, values[place]]));
  settings.operation_steps = checkedSteps(settings.operation_steps);
  settings.prompt ??= ""; // a field that is not there
  if (settings.size) {
    settings.size = "picture";
    delete settings.width;
    delete settings.height;
  } else delete settings.size;
  return { ...settings, video_long_prompt: settings.long_prompt };
}

// What changes would take away of what is drawn is named, and taken only after a yes.
async function sureOf(change, { segments: alsoSegments = false } = {}) {
  if (!page.run) return true;
  const { keyframes, segments } = await ask("at_stake", { run_id: page.run, ...change });
  if (!keyframes && !(alsoSegments && segments)) return true;
  return question(keyframes ? say("lost.keyframes", { count: keyframes }) : say("lost.segments", { count: segments }), "action.go_on");
}

// The tagger's words may be others than those that the key frames were drawn by.
function sureOfPrompt() {
  const count = page.view?.keyframes.filter((one) => one.state === "ready" && !one.own && !one.locked).length ?? 0;
  return count ? question(say("lost.prompt", { count }), "action.go_on") : true;
}

// One of the three buttons, or the one for all of them.
async function press(step, artwork, ...values) {
  if (isLocked()) return;
  const [chosen, ...others] = [form.making ?? artwork ?? form.artwork].flat();
  form.making = null;
  const settings = settingsFrom(values);
  if (!settings.operation_steps) {
    adjust(true);
    return byId("field-operation_steps").querySelector("textarea, input").focus();
  }
  page.pressed = true;
  if (others.length) settings.prompt = ""; // words that were written for one say nothing of others
  tell(null);
  try {
    const sure = (await sureOf({ settings })) && (step !== "prompt" || (await sureOfPrompt()));
    if (!sure) {
      page.pressed = false;
      return draw();
    }
    const args = { step, run_id: page.run, artwork: chosen?.path ?? null, settings };
    const answer = await ask("press", args);
    if (answer.run !== page.run) {
      if (shelf.rows.some(atWork)) putOnShelf([answer.run]);
      await show(answer.run, { form: false });
    }
    if (answer.error) page.note = failure({ said: answer.said, message: answer.error });
    if (others.length) await queue(answer.run, others, settings);
  } catch (error) {
    page.note = failure(error);
  }
  page.pressed = false;
  await look(true);
  if (page.view) trigger("fill");
  if (innerWidth < 1024 && ["video", "all"].includes(step) && !page.note) byId("player").scrollIntoView({ behavior: "smooth" });
}

// More pictures, one after another behind the first.
async function queue(first, pictures, settings) {
  const runs = [first];
  for (const { path } of pictures) {
    const answer = await ask("press", { step: "all", run_id: null, artwork: path, settings });
    runs.push(answer.run);
    if (answer.error) page.note = failure({ said: answer.said, message: answer.error });
    putOnShelf(runs);
  }
}

async function recipe(name, artwork, ...values) {
  if (name === "own_sketch") return ownSketch(artwork, ...values);
  const run = await runFor(artwork, values);
  try {
    if (run && name !== "many" && !(await sureOf({ recipe: name }, { segments: true }))) return;
  } catch (error) {
    return tell(failure(error));
  }
  if (run && name === "many") return drawFour();
  const made = run && (await change("recipe", { name }));
  if (!made) return;
  if (made[0] && made[0] !== page.run) await show(made[0]);
  trigger("fill");
}

// The middle of the timeline becomes the person's own picture.
async function ownSketch(artwork, ...values) {
  if (!(await runFor(artwork, values))) return;
  const steps = page.view.keyframes.map((keyframe) => keyframe.step).sort((one, other) => one - other);
  const step = steps[Math.floor(steps.length / 2)];
  page.selected = `keyframe-${step}`;
  draw();
  pickPicture(step);
}

// The run on show, or a new one for the artwork in the form.
async function runFor(artwork, values) {
  if (page.run) return page.run;
  if (!artwork) {
    tell({ key: "message.first_artwork", failed: true });
    return null;
  }
  const settings = settingsFrom(values);
  if (!settings.operation_steps) return null;
  const run = await asked("open", { artwork: artwork.path, settings });
  if (run) await show(run, { form: false });
  return run;
}

// Another picture in step 1 is another piece; the run before stays in the history. seen: it was looked into.
function newArtwork(file, seen = false) {
  if (isBusy() && page.run) putOnShelf([page.run]);
  leave();
  page.note = null;
  form.artwork = file;
  form.dropped = null;
  noteBeside("note-artwork", null);
  draw();
  trigger("reword"); // an example brings the widget's first label along
  if (!seen) checkArtwork(file);
}

// What the widgets show of the run: [artwork, ...settings].
function formValues() {
  const { view } = page;
  const settings = form.restored ?? view?.settings ?? {};
  form.restored = null;
  const artwork = view ? { path: view.artwork, url: address(view.artwork), orig_name: "artwork.png", meta: { _type: "gradio.FileData" } } : unchanged;
  if (view) form.artwork = artwork;
  const { dropped, emptied } = form;
  Object.assign(form, { dropped: null, emptied: false });
  const values = props.fields.map((field) => heldBy(settings, field));
  if (settings.operation_steps) noteBeside("field-operation_steps", null);
  return [view ? artwork : (dropped ?? (emptied ? null : unchanged)), ...values];
}

// What the widget of a field shows of settings.
function heldBy(settings, field) {
  if (field === "size") return settings.size ? settings.size === "picture" : unchanged;
  return stepsText(settings[field]) ?? unchanged;
}

// The three buttons, each open once the step before is done: [prompt, keyframes, video].
function buttonStates(artwork, prompt, pieces) {
  form.artwork = artwork;
  form.pieces = pieces;
  if (form.prompt !== (prompt ?? "")) countTokens(prompt ?? "");
  drawTokens();
  const free = !isLocked();
  const drawn = page.view?.keyframes.some((keyframe) => keyframe.state === "ready") ?? false;
  drawReasons(!!artwork, props.in_strokes || form.prompt.trim() !== "", props.in_strokes || drawn);
  const worded = form.prompt.trim() !== "";
  const open = props.in_strokes ? Array(3).fill(free && !!artwork) : [free && !!artwork, free && !!artwork && worded, free && drawn];
  return open.map((interactive) => ({ __type__: "update", interactive }));
}

// The words of widgets in the page's language, in the order of their keys. A choice has its widget's key, ".of." and its value.
function labelUpdates(keys = props.labelled) {
  return keys.map((named) => {
    const key = named.split(" ")[0]; // after it, which one of several widgets with the same words
    if (!/^(field|export)\./.test(key) || /^export\.(note|button)$/.test(key)) return { __type__: "update", value: say(key) };
    const update = { __type__: "update", label: say(key) };
    if (`${key}.info` in props.texts) update.info = say(`${key}.info`);
    const choices = Object.keys(props.texts).filter((name) => name.startsWith(`${key}.of.`));
    if (choices.length) update.choices = choices.map((name) => [say(name), name.slice(`${key}.of.`.length)]);
    return update;
  });
}

const randomSeed = () => Math.floor(Math.random() * 50001);
const lastSeed = (field) => page.view?.settings[field] ?? unchanged;

const tokens = { count: 0, timer: 0 };

// Counted a moment after the last key.
function countTokens(prompt) {
  form.prompt = prompt;
  clearTimeout(tokens.timer);
  tokens.timer = setTimeout(async () => {
    const count = prompt.trim() ? await ask("count_tokens", { prompt }).catch(() => 0) : 0;
    if (prompt !== form.prompt) return;
    tokens.count = count;
    drawTokens();
  }, 300);
}

function drawTokens() {
  const place = byId("tokens");
  const { count } = tokens;
  if (!place) return;
  place.hidden = !count;
  if (!count) return;
  const over = count > WINDOW;
  const words = !over ? "tokens" : form.pieces ? "tokens.pieces" : "tokens.over";
  place.textContent = say(words, { count, pieces: Math.ceil(count / WINDOW) });
  place.classList.toggle("warning", over && !form.pieces);
}

const buttonsShown = { key: null };

function drawButtons() {
  const key = JSON.stringify([isLocked(), page.language, page.run, page.view?.keyframes.map((keyframe) => keyframe.state)]);
  if (key === buttonsShown.key) return;
  buttonsShown.key = key;
  trigger("unlock");
  setTimeout(keepFocus, 100); // gradio closes its buttons a moment later
}

function startForm() {
  parts.push(drawTokens, drawButtons);
}

window.paintsUndo = {
  press, recipe, newArtwork, leaveSteps, formValues, buttonStates, labelUpdates, randomSeed, lastSeed,
  changedValues: () => props.fields.map((field) => (form.changed.includes(field) ? heldBy(page.view?.settings ?? {}, field) : unchanged)),
};
