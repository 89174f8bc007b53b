// The export panel: its button, what the line about the job says of an export, and the files of the last one.

const exporting = { run: null, shown: "[]" };

async function exportRun(formats, names, values) {
  const options = { ...Object.fromEntries(names.map((name, place) => [name, values[place]])), language: page.language };
  exporting.run = page.run;
  try {
    await ask("export", { run_id: page.run, formats, options });
    page.note = null;
    await look(true);
  } catch (error) {
    tell({ ...failure(error), exporting: true });
  }
}

function drawExports() {
  const about = isBusy() || isPaused() || /^export/.test(page.view?.message?.key);
  const shown = page.note ? page.note.exporting : about && exporting.run === page.run;
  byId("export")?.classList.toggle("ready", !!page.view?.video);
  const line = byId("export-status");
  if (line) {
    line.setAttribute("role", byId("job").classList.contains("failed") ? "alert" : "status");
    line.textContent = shown ? byId("job-what").textContent : "";
  }
  const files = JSON.stringify(page.view?.exports ?? []);
  if (exporting.shown === files) return;
  exporting.shown = files;
  trigger("exported");
}

// What the widgets below the button show: [files, those of them that are pictures].
function exportedFiles() {
  const files = page.view?.exports ?? [];
  const file = ({ path, name, size }) => ({ path, url: address(path), orig_name: name, size, meta: { _type: "gradio.FileData" } });
  const update = (value) => ({ __type__: "update", value, visible: value.length > 0 });
  const pictures = files.filter((one) => one.picture).map((one) => ({ image: file(one), caption: null }));
  return [update(files.map(file)), update(pictures)];
}

Object.assign(window.paintsUndo, { exportRun, exportedFiles });
