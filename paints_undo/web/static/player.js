// The player: every frame on a scrubber, from the first stroke to the finished artwork, which comes last and is held.

const player = { shots: [], filmed: null, place: 0, playing: false, key: "", spent: 0, drawnAt: 0, range: null, live: false, watched: null };
const pictures = new Map(); // address -> Image; kept, so that scrubbing never waits twice

function picture(path) {
  if (!path) return null;
  if (!pictures.has(path)) {
    const image = new Image();
    image.decoding = "async";
    image.src = film.turn ? `${address(path)}?${film.turn}` : address(path);
    pictures.set(path, image);
  }
  return pictures.get(path);
}

// A drawing in strokes is on show while it is made; its artwork comes when it is done.
const growing = () => props.in_strokes && isDrawing() && !!page.view?.frames.length && !film.old;

// The frames of the film; before there are any, the keyframes; before there is a run, what was chosen.
function shotsOf(view) {
  if (!view) return form.artwork ? [form.artwork.path] : [];
  const drawn = view.keyframes.filter((keyframe) => keyframe.state === "ready").map((keyframe) => keyframe.path);
  const frames = view.frames.length ? view.frames : drawn.reverse();
  if (film.old && isDrawing()) return [view.artwork];
  return growing() ? frames : [...frames, view.artwork];
}

function loadShots() {
  const view = page.view;
  if (props.in_strokes) watchFilm();
  const shots = shotsOf(view);
  const key = shots.join("\n");
  if (growing() && player.watched !== page.view.job?.number) watchLive();
  if (key === player.key) return;
  const another = player.run !== view?.run;
  const before = player.shots[player.place];
  if (another) pictures.clear();
  Object.assign(player, { key, shots, run: view?.run, range: null });
  if (!growing()) shots.forEach((path) => picture(path));
  if (!another && shots.includes(before)) goTo(shots.indexOf(before));
  else goTo(growing() ? 0 : shots.length - 1);
}

const LIVE_MS = 120; // between two pictures of a drawing under way: each costs the machine that draws

// What is drawn at this moment is caught up with, evenly; a hand on the player ends that.
function watchLive() {
  play(false);
  Object.assign(player, { live: true, watched: page.view.job?.number });
  let [before, seen, reached, next] = [performance.now(), 0, player.place, null];
  const step = (now) => {
    if (!player.live) return;
    if (!growing()) return Object.assign(player, { live: false, watched: null });
    const last = player.shots.length - 1; // another drawing begins with fewer
    reached = Math.min(last, reached + ((last - reached) * (now - before)) / 600);
    before = now;
    if (next > last || (next === null && now - seen > LIVE_MS)) next = Math.floor(reached);
    if (next !== null && next <= player.place) next = null;
    if (next !== null && picture(player.shots[next]).complete) { // what is told is what is seen
      goTo(next);
      [seen, next] = [now, null];
    }
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}

function goTo(place) {
  const last = Math.max(0, player.shots.length - 1);
  player.place = Math.max(0, Math.min(last, Math.round(place)));
  player.spent = 0;
  player.operation = null;
  drawShot();
}

function drawShot() {
  const { shots, place } = player;
  const there = shots.length > 0;
  byId("canvas").hidden = !there;
  byId("scrubber").disabled = shots.length < 2;
  byId("scrubber").max = Math.max(0, shots.length - 1);
  byId("scrubber").value = place;
  byId("scrubber").style.setProperty("--done", shots.length > 1 ? place / (shots.length - 1) : 0);
  const words = there ? placeWords() : "";
  byId("where").textContent = words;
  byId("scrubber").setAttribute("aria-valuetext", words);
  byId("canvas").setAttribute("aria-label", words || say("timeline.artwork"));
  const phase = doneAt(place) === null ? -1 : phaseOf(player.operation ?? doneAt(place));
  [...byId("phases").children].forEach((mark, i) => mark.classList.toggle("here", i === phase));
  markPlace();
  drawPen();
  if (!there) return;
  fetchAtRest();
  const exact = exactly();
  if (exact !== null && (paintExactly(exact) || operations.hidden.size)) return;
  const image = picture(shots[place]);
  if (image.complete && image.naturalWidth) paint(image);
  else image.onload = () => player.shots[player.place] === shots[place] && exactly() === exact && paint(image);
}

function placeWords() {
  const { shots, place } = player;
  const done = player.operation ?? doneAt(place);
  if (place === shots.length - 1 && !growing() && !player.operation) return shots.length > 1 ? say("player.finished") : "";
  if (done === null) return say("player.frame", { frame: place + 1, frames: shots.length - 1 });
  const phase = operations.phases[phaseOf(done)]?.[0];
  return say("player.operation", { operation: Math.max(1, done), operations: OPERATIONS }) + (phase ? ` · ${say(`phase.${phase}`)}` : "");
}

const LARGEST = 1600; // pixels of the canvas, where what it shows has as many
const pixelsOf = (image) => [image.naturalWidth ?? image.width, image.naturalHeight ?? image.height];

// The canvas has the shape of the frames; the artwork is cropped to it as the program crops it.
function paint(image) {
  const canvas = byId("canvas");
  const frame = player.shots.length > 1 ? picture(player.shots[0]) : image;
  if (!frame.naturalWidth) frame.addEventListener("load", drawShot, { once: true });
  const [own] = pixelsOf(image);
  const [w, h] = frame.naturalWidth ? pixelsOf(frame) : pixelsOf(image);
  const scale = Math.max(1, Math.round(512 / w), Math.min(own / w, LARGEST / Math.max(w, h)));
  const [width, height] = [Math.round(w * scale), Math.round(h * scale)];
  byId("stage").style.setProperty("--ratio", w / h);
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  cover(context, image, width, height);
  if (byId("compare").getAttribute("aria-pressed") === "true") paintArtworkBeside(context, width, height);
}

function cover(context, image, width, height) {
  const [ownWidth, ownHeight] = pixelsOf(image);
  const zoom = Math.max(width / ownWidth, height / ownHeight);
  const [w, h] = [width / zoom, height / zoom];
  context.drawImage(image, (ownWidth - w) / 2, (ownHeight - h) / 2, w, h, 0, 0, width, height);
}

// The handle runs along the picture, not along the stage around it.
function placeDivide() {
  const { offsetLeft, offsetWidth } = byId("canvas");
  Object.assign(byId("divide").style, { width: `${offsetWidth + 20}px`, left: `${offsetLeft - 10}px` });
}

function paintArtworkBeside(context, width, height) {
  placeDivide();
  const artwork = picture(page.view?.artwork);
  if (!artwork?.naturalWidth) return;
  const edge = (width * byId("divide").value) / 1000;
  context.save();
  context.beginPath();
  context.rect(edge, 0, width - edge, height);
  context.clip();
  cover(context, artwork, width, height);
  context.restore();
  context.fillStyle = "#fff";
  context.fillRect(edge - 1.5, 0, 3, height);
}

function play(on = !player.playing) {
  const possible = player.shots.length > 1 && !player.live;
  player.playing = on && possible;
  player.operation = null;
  player.spent = 0;
  const [first, last] = player.range ?? [0, player.shots.length - 1];
  const reverse = isOn("reverse");
  if (player.playing && player.place === (reverse ? first : last)) goTo(reverse ? last : first);
  byId("play").classList.toggle("playing", player.playing);
  name(byId("play"), say(player.playing ? "player.pause" : "player.play"));
  if (player.playing) {
    player.drawnAt = performance.now();
    requestAnimationFrame(tick);
  }
}

const isOn = (id) => byId(id).getAttribute("aria-pressed") === "true";

function tick(now) {
  if (!player.playing) return;
  player.spent += (now - player.drawnAt) / 1000;
  player.drawnAt = now;
  const filmed = page.view?.frames.length;
  const perSecond = (filmed ? (page.view.settings.fps ?? 4) : 2) * Number(byId("speed").value);
  const atArtwork = player.place === player.shots.length - 1;
  const stay = atArtwork && !player.range ? Math.max(1 / perSecond, Number(byId("hold").value)) : 1 / perSecond;
  if (player.spent >= stay) advance(Math.max(1, Math.floor(player.spent * perSecond)), atArtwork);
  requestAnimationFrame(tick);
}

function advance(frames, atArtwork) {
  const [first, last] = player.range ?? [0, player.shots.length - 1];
  const step = (isOn("reverse") ? -1 : 1) * (atArtwork ? 1 : frames);
  const next = player.place + step;
  if (next >= first && next <= last) return goTo(next);
  const end = step > 0 ? last : first;
  if (player.place !== end) return goTo(end);
  if (isOn("loop") || player.range) return goTo(step > 0 ? first : last);
  play(false);
}

// A hand on the player: it stands still, wherever it was.
function holdStill() {
  player.live = false;
  play(false);
  player.range = null;
}

function stepBy(frames) {
  holdStill();
  goTo(player.place + frames);
}

// A film that has just been finished plays at once.
function playNewFilm() {
  const { run, video } = page.view ?? {};
  if (video && player.filmed?.run === run && !player.filmed.video) {
    player.live = false;
    goTo(0);
    play(true);
  }
  player.filmed = { run, video };
}

function drawLive() {
  const { view } = page;
  const live = byId("live");
  const there = !!view?.preview && isBusy() && !growing();
  live.hidden = !there;
  live.classList.toggle("alone", player.shots.length < 2);
  if (there) live.firstElementChild.src = `${address(view.preview)}?${view.version}`;
  name(live.firstElementChild, say("player.preview"));
  live.firstElementChild.alt = say("player.preview");
  const video = byId("download");
  video.hidden = !view?.video;
  if (view?.video) video.href = address(view.video);
  byId("transport").hidden = byId("scrubber").hidden = player.shots.length < 2;
}

// Keys, as in a painting program. Fields that one types in keep their own.
function onKey(event) {
  const typing = event.target.closest?.("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]");
  if (typing || document.querySelector("dialog[open]") || player.shots.length < 2) return;
  const control = event.ctrlKey || event.metaKey;
  const onControl = event.target.closest?.("button, a, input, summary, [role=option]") && event.target.id !== "scrubber";
  if (control && event.key.toLowerCase() === "z") undo(event.shiftKey ? 1 : -1);
  else if (control && event.key.toLowerCase() === "y") undo(1);
  else if (control || event.altKey || onControl) return;
  else if (event.key === " ") play();
  else if (event.key === "ArrowLeft") stepBy(event.shiftKey ? -15 : -1);
  else if (event.key === "ArrowRight") stepBy(event.shiftKey ? 15 : 1);
  else if (event.key === "Home") stepBy(-player.place);
  else if (event.key === "End") stepBy(player.shots.length);
  else return;
  event.preventDefault();
}

// Dragging over the picture scrubs, a tap plays: the same by mouse and by finger.
function onTouch() {
  const stage = byId("stage");
  let start = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#divide, #layers, button") || player.shots.length < 2) return;
    start = { x: event.clientX, place: player.place, moved: false };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!start) return;
    const moved = event.clientX - start.x;
    if (Math.abs(moved) > 6 && !start.moved) {
      start.moved = true;
      holdStill();
    }
    if (start.moved) goTo(start.place + (moved / stage.clientWidth) * (player.shots.length - 1));
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      if (start && !start.moved && event.type === "pointerup") play();
      start = null;
    });
  }
}

function startWhole() {
  const button = byId("whole");
  button.hidden = !document.fullscreenEnabled;
  button.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : byId("player").requestFullscreen());
  addEventListener("fullscreenchange", () => { button.setAttribute("aria-pressed", String(!!document.fullscreenElement)); drawShot(); });
}

function startPlayer() {
  byId("live").firstElementChild.onerror = () => { byId("live").hidden = true; }; // the job ended meanwhile
  byId("play").onclick = () => { Object.assign(player, { range: null, live: false }); play(); };
  startWhole();
  startOperations();
  byId("back").onclick = () => undo(-1);
  byId("forward").onclick = () => undo(1);
  byId("scrubber").oninput = (event) => { holdStill(); goTo(Number(event.target.value)); };
  byId("divide").oninput = (event) => { event.target.style.setProperty("--done", event.target.value / 1000); drawShot(); };
  for (const id of ["reverse", "loop", "compare"]) {
    byId(id).onclick = () => {
      byId(id).setAttribute("aria-pressed", String(!isOn(id)));
      byId("divide").hidden = !isOn("compare");
      drawShot();
    };
  }
  document.addEventListener("keydown", onKey, true);
  onTouch();
  addEventListener("resize", drawShot);
  parts.push(loadShots, playNewFilm, drawLive, drawPhases);
}
