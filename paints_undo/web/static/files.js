// Files from outside: chosen, dropped or pasted, anywhere on the page; the server says what is in them.

// One file of those that came; null, with a sentence, where there are several.
function onlyOne(files) {
  if (files.length > 1) tell({ words: () => say("message.several_files", { count: files.length }), failed: true });
  return files.length === 1 ? files[0] : null;
}

// A file chosen, dropped or pasted on the page: settings are restored, a picture without becomes the artwork. Whether
// it was taken; at: where on the page it came, and is refused.
function take(files, how = {}) {
  form.reading = looked(files, how).finally(() => { form.reading = null; });
  return form.reading;
}

async function looked(files, { artworkOnly = false, at = null }) {
  const refused = () => {
    refuseAt(at, page.note);
    return false;
  };
  if (files.length > 1) return (await takeAll(files)) || refused();
  const [file] = files;
  if (!file) return false;
  tell({ key: "message.reading" });
  const path = await send(file);
  const found = path && (await asked("look_into", { path }));
  if (!found) return refused();
  page.note = null;
  const artwork = fileData(path, file.name, file.type);
  if (found.settings && !(artworkOnly && found.picture)) await restored(found, found.piece === "artwork" ? artwork : null);
  else takeArtwork(artwork);
  return true;
}

// Several at once: every picture among them is drawn, one after another; what is none is named. Whether all were taken.
async function takeAll(files) {
  const [pictures, others] = [[], []];
  for (const file of files.slice(0, MOST_ON_SHELF)) {
    tell({ key: "message.reading" });
    try {
      const { path } = await upload(file);
      const { picture } = await ask("look_into", { path });
      if (picture) pictures.push(fileData(path, file.name, file.type));
      else others.push(file.name);
    } catch (error) {
      if (!(error instanceof Refused) && !(await asked("family"))) return false; // no file is at fault
      others.push(file.name);
    }
  }
  others.push(...files.slice(MOST_ON_SHELF).map((file) => file.name));
  page.note = null;
  if (pictures.length) {
    takeArtwork(pictures[0]);
    makeFrom(pictures);
  }
  if (others.length) tell({ words: () => say("message.not_taken", { names: others.join(", ") }), failed: true });
  return !others.length;
}

// Said where the file was dropped, too, for as long as nothing else is done.
function refuseAt(at, note) {
  const place = byId("refused");
  if (!at) return;
  place.reword = () => { place.textContent = wordsOf(note); };
  place.reword();
  place.hidden = false;
  const [right, bottom] = [innerWidth - place.offsetWidth - 8, innerHeight - place.offsetHeight - 90];
  Object.assign(place.style, { left: `${Math.max(8, Math.min(right, at.x - 20))}px`, top: `${Math.max(8, Math.min(bottom, at.y))}px` });
}

// An uploaded file as the artwork of step 1.
function takeArtwork(artwork) {
  newArtwork(artwork, true);
  form.dropped = artwork;
  trigger("fill");
}

// A picture that was chosen in the box of step 1: refused at once where it could not be drawn from.
async function checkArtwork(file) {
  if (!file?.path) return;
  try {
    const found = await ask("look_into", { path: file.path });
    if (found.picture) return;
    tell({ key: "message.no_picture", failed: true });
  } catch (error) {
    if (!(error instanceof Refused)) return;
    if (form.artwork?.path === file.path) tell(failure(error));
  }
  if (form.artwork?.path !== file.path) return;
  const note = page.note ?? { key: "message.no_picture" };
  form.artwork = null;
  form.dropped = null;
  form.emptied = true;
  trigger("fill");
  noteBeside("note-artwork", () => wordsOf(note));
}

// artwork: the picture that the settings came in, where it is the one that they were made for.
async function restored(found, artwork) {
  if (found.run) {
    await show(found.run);
    return tell({ key: "message.restored" });
  }
  if (artwork) takeArtwork(artwork);
  else if (page.run && !(await sureOf({ settings: found.settings }))) return;
  form.restored = found.settings;
  if (page.run) await change("set_settings", found.settings);
  trigger("fill");
  tell({ key: page.view || form.artwork ? "message.restored" : "message.restored_artwork" });
}

function acceptFiles() {
  const carries = (event) => event.dataTransfer?.types.includes("Files") && !event.target.closest?.("#strip");
  let inside = 0;
  addEventListener("dragenter", (event) => { inside += 1; byId("drop").hidden = !carries(event); });
  addEventListener("dragleave", () => { inside -= 1; if (inside <= 0) byId("drop").hidden = true; });
  addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
  const dropped = (event) => {
    inside = 0;
    byId("drop").hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    event.stopPropagation(); // the box of step 1 would take some kinds of pictures, and no others
    const at = { x: event.clientX, y: event.clientY };
    take([...event.dataTransfer.files], { artworkOnly: !!event.target.closest?.("#artwork"), at });
  };
  for (const kind of ["pointerdown", "keydown", "dragenter"]) addEventListener(kind, () => { byId("refused").hidden = true; }, true);
  addEventListener("drop", dropped, true);
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    event.stopPropagation();
    take(files, { artworkOnly: !!event.target.closest?.("#artwork") });
  }, true);
}
