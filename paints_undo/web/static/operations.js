// The operations of a drawing in strokes, which is what Ctrl+Z takes back, and its phases along the scrubber.

const OPERATIONS = 1000;
const NARROW = 0.05; // of the film: a phase that has no room for its name
const operations = { phases: [], film: null, asking: false };

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
  const wanted = Math.max(1, done + step);
  if (wanted >= OPERATIONS) return goTo(player.shots.length - 1);
  goTo(lastFrameOf(wanted));
  player.operation = wanted;
  drawShot();
  drawExactly();
}

function lastFrameOf(operation) {
  const after = page.view.frames.findIndex((_, place) => doneAt(place) > operation);
  return Math.max(0, (after < 0 ? page.view.frames.length : after) - 1);
}

// The canvas after exactly so many operations; the nearest frame stands until it is there. The last wish counts.
async function drawExactly() {
  if (operations.asking) return;
  operations.asking = true;
  for (let drawn = null; player.operation !== drawn; ) {
    drawn = player.operation;
    const image = drawn && new Image();
    try {
      if (!image) break;
      image.src = await ask("canvas", { run_id: page.run, operation: drawn });
      await image.decode();
    } catch {
      break; // the run is at work just now
    }
    if (player.operation === drawn) paint(image);
  }
  operations.asking = false;
}

// Where each phase begins, asked for once a film is whole.
async function drawPhases() {
  const film = props.in_strokes && !isBusy() && page.view?.video ? page.view.frames[0] + page.view.version : null;
  const place = byId("phases");
  place.hidden = !film;
  if (film === operations.film) return;
  operations.film = film;
  operations.phases = (film && (await ask("phases", { run_id: page.run }).catch(() => null))) || [];
  if (!film || film !== operations.film) return;
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
