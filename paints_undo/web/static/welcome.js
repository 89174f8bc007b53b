// Before there is a run: a finished film plays, a picture is asked for, and an example begins at a press.

const welcomed = { reduced: matchMedia("(prefers-reduced-motion: reduce)").matches };

const isNew = () => !page.run && !form.artwork;

function drawWelcome() {
  const there = isNew();
  byId("player").classList.toggle("new", there);
  for (const id of ["welcome", "show", "show-play"]) byId(id).hidden = !there;
  const film = byId("show");
  if (!there) film.pause();
  else if (film.src && film.paused && !welcomed.halted) film.play().catch(() => {});
  byId("show-play").classList.toggle("playing", !welcomed.halted);
  name(byId("show-play"), say(welcomed.halted ? "player.play" : "player.pause"));
}

// Where nothing may move by itself, the film stands at its end.
async function loadShow() {
  const { film, examples } = await ask("show");
  const place = byId("show");
  welcomed.halted = welcomed.reduced;
  if (welcomed.halted) place.addEventListener("loadedmetadata", () => { place.currentTime = place.duration; }, { once: true });
  place.src = address(film);
  byId("examples").querySelector("div").replaceChildren(...examples.map((one) => {
    const pressed = () => makeFrom(fileData(one.path, `${one.name}.png`));
    return make("button", { type: "button", "data-name": `example.${one.name}`, onclick: pressed }, make("img", { src: address(one.path), alt: "" }));
  }));
  translate(byId("examples"));
  drawWelcome();
}

const fileData = (path, orig_name, mime_type = "image/png") => ({ path, url: address(path), orig_name, mime_type, meta: { _type: "gradio.FileData" } });

// The one button: all three steps, from the picture in the form, or from one that is chosen now.
function makeFrom(artwork) {
  if (artwork && !Array.isArray(artwork)) takeArtwork(artwork);
  form.making = artwork ?? form.artwork;
  trigger("make");
}

function pickFile(then) {
  const input = byId("any-file");
  input.value = "";
  input.onchange = () => input.files.length && then([...input.files]);
  input.click();
}

function adjust(open) {
  byId("steps").classList.toggle("open", open);
  byId("adjust").setAttribute("aria-expanded", String(open));
  localStorage.setItem(`${KEPT}adjust`, open ? "open" : "closed");
}

function startWelcome() {
  byId("choose").onclick = byId("pick").onclick = () => pickFile(take);
  byId("make").onclick = async () => {
    if (form.reading && !(await form.reading)) return; // the file was refused
    if (page.view || form.artwork) makeFrom(null);
    else pickFile(async (files) => (await take(files)) && files.length === 1 && makeFrom(null));
  };
  byId("show-play").onclick = () => {
    welcomed.halted = !welcomed.halted;
    if (welcomed.halted) byId("show").pause();
    drawWelcome();
  };
  byId("adjust").onclick = () => adjust(byId("adjust").getAttribute("aria-expanded") !== "true");
  adjust(localStorage.getItem(`${KEPT}adjust`) === "open");
  parts.push(drawWelcome);
  loadShow();
}
