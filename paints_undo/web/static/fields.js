// What is typed into the fields of the form: nothing is changed or left out without a sentence beside the field.

const FIRST_STROKE = 999;

// A sentence beside a field, as what gives it in the page's language, or none; it goes when the field is right again.
function noteBeside(place, words, failed = true) {
  const block = typeof place === "string" ? byId(place) : place;
  if (!block) return;
  let note = block.querySelector(":scope > .field-note");
  if (!words) return note?.remove();
  note ??= block.appendChild(make("p", { className: "field-note", role: "alert" }));
  note.classList.toggle("failed", failed);
  note.reword = () => { if (note.textContent !== words()) note.textContent = words(); };
  note.reword();
}

// Operation steps as people write them, separated by whatever: {steps, bad: what is none, twice: what is there again}.
function readSteps(text, present = []) {
  const words = String(text ?? "").normalize("NFKC").split(/[\s,;、。\[\]()]+/).filter(Boolean);
  const there = new Set(present);
  const found = { steps: [...present], bad: [], twice: [] };
  for (const word of words) {
    const step = /^\d{1,9}$/.test(word) ? Number(word) : NaN;
    if (!(step <= FIRST_STROKE)) found.bad.push(word);
    else if (there.has(step)) found.twice.push(step);
    else found.steps.push(step);
    there.add(step);
  }
  found.steps.sort((one, other) => one - other);
  return found;
}

const listed = (values) => values.map((value) => String(value).slice(0, 40)).join(", ");

// What is wrong with such steps, or worth saying, as {words, failed}.
function aboutSteps({ steps, bad, twice }) {
  if (bad.length) return { words: () => say("steps.bad", { value: listed(bad) }), failed: true };
  if (!steps.length) return { words: () => say("steps.none"), failed: true };
  if (twice.length) return { words: () => say("steps.there", { value: listed([...new Set(twice)]) }), failed: false };
  return { words: null, failed: false };
}

// The form's operation steps: numbers where all of it can be read, the text itself, which is refused, where not.
function checkedSteps(text) {
  const found = readSteps(text);
  const { words, failed } = aboutSteps(found);
  afterPress(() => noteBeside("field-operation_steps", words, failed));
  return failed ? null : found.steps;
}

const stepsText = (steps) => (Array.isArray(steps) ? steps.join(", ") : steps);

// A sentence that appears between the two halves of a click would move the button away from under it.
const pointer = { down: false };

function afterPress(act) {
  if (pointer.down) addEventListener("pointerup", () => setTimeout(act), { once: true });
  else act();
}

const ordered = { text: null };

// A field that was left is put in order, if all of it can be read; gradio tells of that as of another leaving.
function leaveSteps(text) {
  if (text === ordered.text) return unchanged;
  const steps = checkedSteps(text);
  ordered.text = steps ? stepsText(steps) : null;
  return ordered.text ?? unchanged;
}

// Gradio would bring a number to the ends of its slider when the field is left; what the program takes stays.
function leaveNumber(event) {
  const input = event.target;
  if (!(input instanceof HTMLInputElement) || input.type !== "number") return;
  const block = input.closest('[id^="field-"]');
  const field = block?.id.slice("field-".length);
  if (!block || !(field in props.limits)) return;
  event.stopImmediatePropagation();
  afterPress(() => noteBeside(block, aboutNumber(field, input)));
}

function aboutNumber(field, input) {
  const [low, high] = props.limits[field];
  const value = input.valueAsNumber;
  const whole = !field.endsWith("guidance_scale");
  if (value >= low && value <= high && (!whole || Number.isInteger(value))) return null;
  const range = { value: input.value || "–", low, high };
  return () => say(whole ? "number.whole" : "number.bad", { field: say(`field.${field}`), ...range });
}

// Why a button of the form cannot be pressed yet, where the step before it looks done.
function drawReasons(artwork, prompt, drawn) {
  const why = (key) => (artwork && !isLocked() ? () => say(key) : null);
  noteBeside("reason-keyframes", prompt ? null : why("reason.prompt"), false);
  noteBeside("reason-video", !prompt || drawn ? null : why("reason.keyframes"), false);
}

function startFields() {
  for (const kind of ["pointerdown", "pointerup", "pointercancel"])
    addEventListener(kind, () => { pointer.down = kind === "pointerdown"; }, true);
  byId("steps").addEventListener("blur", leaveNumber, true);
  byId("steps").addEventListener("input", (event) => {
    ordered.text = null;
    noteBeside(event.target.closest('[id^="field-"]'), null);
  });
}
