// The operations of a drawing in strokes, which is what Ctrl+Z takes back: its phases, its layers, and the pen.

const OPERATIONS = 1000;
const NARROW = 0.05; // of the film: a phase that has no room for its name
// canvases: fetched before they are wanted, of one answer, and kept; a small phone has room for few
const [AHEAD, AT_ONCE, REMEMBERED] = navigator.deviceMemory <= 2 ? [4, 2, 8] : [12, 6, 24];
const operations = { phases: [], layers: [], pen: [], film: null, asking: false, ready: new Map(), hidden: new Set(), way: -1 };

// A drawing in strokes is made anew under the names of the one before, whose pictures are then not shown any more.
const film = { run: null, job: null, count: 0, old: 0, turn: 0 };

function watchFilm() {
  const { run, frames, job } = page.view ?? {};
  const count = frames?.length ?? 0;
  if (run !== film.run) Object.assign(film, { run, job: null, count, old: 0 });
  if (isDrawing() && job.number !== film.job) Object.assign(film, { job: job.number, old: count });
  if (count < film.count || (film.old && !isBusy() && !isPaused())) {
    Object.assign(film, { old: 0, turn: film.turn + 1 });
    pictures.clear();
    player.key = "";
  }
  film.count = count;
}

// How many operations are done in a frame, which its file's name tells; null where frames have none.
function doneAt(place) {
  const view = page.view;
  if (!props.in_strokes || !view?.frames.length) return null;
  const path = view.frames[place];
  return path ? Number(/(\d+)\.jpg$/.exec(path)?.[1]) : OPERATIONS;
}

// One operation back or forward where there are operations, one frame where not; the first one stays: nothing is blank.
function undo(step) {
  const done = player.operation ?? doneAt(player.place);
  if (done === null) return stepBy(step);
  holdStill();
  operations.way = step;
  const wanted = Math.max(1, done + step);
  if (wanted >= OPERATIONS) return goTo(player.shots.length - 1);
  player.place = lastFrameOf(wanted);
  player.spent = 0;
  player.operation = wanted;
  drawShot();
}

function lastFrameOf(operation) {
  const after = page.view.frames.findIndex((_, place) => doneAt(place) > operation);
  return Math.max(0, (after < 0 ? page.view.frames.length : after) - 1);
}

// The operation whose exact canvas is wanted, since a person stepped to it or hides layers; null where a frame will do.
const exactly = () => player.operation ?? (operations.film && operations.hidden.size ? doneAt(player.place) : null);
const canvasName = (done) => [done, ...operations.hidden].join();

// Whether the exact canvas was there to be painted at once; if not, it is asked for.
function paintExactly(done) {
  const image = operations.ready.get(canvasName(done));
  if (image) paint(image);
  fetchCanvases();
  return !!image;
}

// The wish comes first, then the canvases that the next presses in the same direction will want: [the first, how many].
function nextCanvases() {
  const done = exactly() ?? (player.playing || isBusy() ? null : doneAt(player.place));
  if (!done) return null;
  const missing = (operation) => operation >= 1 && operation <= OPERATIONS && !operations.ready.has(canvasName(operation));
  if (exactly() !== null && missing(done)) return [done, 1];
  for (let i = 1; !player.playing && i <= AHEAD; i++) {
    const operation = done + i * operations.way;
    if (missing(operation)) return operations.way > 0 ? [operation, AT_ONCE] : [Math.max(1, operation - AT_ONCE + 1), Math.min(AT_ONCE, operation)];
  }
  return null;
}

async function fetchCanvases() {
  if (operations.asking) return;
  operations.asking = true;
  for (let next; (next = nextCanvases()); ) {
    const [[first, count], { film, ready }, hidden] = [next, operations, [...operations.hidden]];
    try {
      const found = await ask("canvases", { run_id: page.run, operation: first, count, hidden });
      for (const [i, address] of found.entries()) {
        const bytes = Uint8Array.from(atob(address.split(",")[1]), (one) => one.charCodeAt(0));
        const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" })); // stays decoded, unlike an Image
        if (film === operations.film) ready.set([first + i, ...hidden].join(), image);
      }
    } catch {
      break; // the run is at work just now
    }
    const place = exactly() ?? doneAt(player.place);
    const distance = (name) => Math.abs(Number.parseInt(name, 10) - place) + (name === canvasName(Number.parseInt(name, 10)) ? 0 : OPERATIONS);
    [...ready.keys()].sort((one, other) => distance(one) - distance(other)).slice(REMEMBERED).forEach((name) => ready.delete(name));
    const image = ready.get(canvasName(exactly()));
    if (image && exactly() >= first && exactly() < first + count) paint(image);
  }
  operations.asking = false;
}

// While nobody touches the player, the canvases around are fetched: the first press finds them there.
function fetchAtRest() {
  clearTimeout(operations.resting);
  if (operations.film && !player.playing) operations.resting = setTimeout(fetchCanvases, 300);
}

// Where the hand is: at the end of the stroke that was drawn last, or on the way along the next one.
function drawPen() {
  const { place, shots, operation } = player;
  const done = operation ?? doneAt(place);
  const shown = operations.film && isOn("pen-toggle") && !isOn("compare") && (operation || place < shots.length - 1);
  let way = (shown && operations.pen[done - 1]) || [];
  let part = 1;
  if (shown && operation === null) {
    let [first, end] = [place, place + 1];
    while (doneAt(first - 1) === done && first > 0) first -= 1;
    while (end < shots.length - 1 && doneAt(end) === done) end += 1;
    if (place > first) [way, part] = [operations.pen[done] ?? [], (place - first) / (end - first)];
  }
  byId("pen").toggleAttribute("hidden", !way.length);
  if (!way.length) return;
  const last = way.length / 2 - 1;
  const from = Math.min(Math.floor(part * last), Math.max(0, last - 1));
  const between = (axis) => way[2 * from + axis] + ((way[2 * from + axis + 2] ?? way[2 * from + axis]) - way[2 * from + axis]) * (part * last - from);
  const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = byId("canvas");
  byId("pen").style.translate = `${offsetLeft + (between(0) / 1000) * offsetWidth}px ${offsetTop + (between(1) / 1000) * offsetHeight}px`;
}

// The layers, the uppermost first as in any painting program; what is hidden is remembered.
function drawLayers() {
  const rows = [...operations.layers].reverse().map((layer) => {
    const box = make("input", { type: "checkbox", checked: !operations.hidden.has(layer), onchange: () => showLayer(layer, box.checked) });
    return make("label", {}, box, make("span", { "data-text": `layer.${layer}` }));
  });
  byId("layers").replaceChildren(...rows);
  translate(byId("layers"));
  byId("layers-toggle").hidden = byId("pen-toggle").hidden = !rows.length;
  openLayers(isLayersOpen() && rows.length > 0);
}

const isLayersOpen = () => byId("layers-toggle").getAttribute("aria-expanded") === "true";

function showLayer(layer, shown) {
  if (shown) operations.hidden.delete(layer);
  else operations.hidden.add(layer);
  operations.hidden = new Set([...operations.hidden].sort());
  keep("hidden-layers", [...operations.hidden].join());
  openLayers(true);
  drawShot();
}

function openLayers(open) {
  const some = operations.layers.some((layer) => operations.hidden.has(layer));
  byId("layers-toggle").classList.toggle("on", some);
  byId("layers-toggle").setAttribute("aria-expanded", String(open));
  byId("layers").hidden = !open;
}

function startOperations() {
  operations.hidden = new Set((kept("hidden-layers") || "").split(",").filter(Boolean));
  byId("layers-toggle").onclick = () => openLayers(!isLayersOpen());
  byId("player").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !isLayersOpen()) return;
    if (byId("layers").contains(document.activeElement)) byId("layers-toggle").focus();
    openLayers(false);
  });
  byId("pen-toggle").setAttribute("aria-pressed", String(kept("pen") !== "off"));
  byId("pen-toggle").onclick = () => {
    byId("pen-toggle").setAttribute("aria-pressed", String(!isOn("pen-toggle")));
    keep("pen", isOn("pen-toggle") ? "on" : "off");
    drawPen();
  };
}

// What there is to know of the operations, asked for once a film is whole.
async function drawPhases() {
  const film = props.in_strokes && !isBusy() && page.view?.video ? page.view.frames[0] + page.view.version : null;
  const place = byId("phases");
  place.hidden = !film;
  if (film === operations.film) return;
  Object.assign(operations, { film, ready: new Map(), phases: [], layers: [], pen: [] });
  const told = film && (await ask("operations", { run_id: page.run }).catch(() => null));
  if (film !== operations.film) return;
  Object.assign(operations, told);
  drawLayers();
  if (!told) return drawShot();
  const all = page.view.frames.length;
  const ends = operations.phases.slice(1).map(([, first]) => lastFrameOf(first));
  const marks = operations.phases.map(([phase], i) => {
    const length = Math.max(1, (ends[i] ?? all) - (ends[i - 1] ?? 0));
    const words = length > NARROW * all ? { "data-text": `phase.${phase}` } : {};
    return make("span", { style: `flex-grow: ${length}`, ...words });
  });
  place.replaceChildren(...marks);
  translate(place);
  drawShot();
}

// The number of the phase that an operation belongs to; -1 where none is known.
const phaseOf = (done) => operations.phases.findLastIndex(([, first]) => first < Math.max(1, done));
