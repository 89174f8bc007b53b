// The share panel: one press makes a file for a place, and hands it to the browser as soon as it is whole.

const sharing = { run: null, format: null };

const lengthOf = (view) => Math.round(view.frames.length / (view.settings.fps || 24));
const PLACES = {
  instagram: () => ["1080 × 1350", say("share.seconds", { count: 15 })],
  reel: () => ["1080 × 1920", say("share.seconds", { count: 30 })],
  youtube: () => ["1920 × 1080", say("share.seconds", { count: 60 })],
  gif: (view) => [say("share.at_most", { size: 8 }), say("share.seconds", { count: lengthOf(view) })],
  psd: (view) => [sizeOf(view), say("share.layers")],
  svg: () => [say("share.strokes")],
  steps: () => ["PDF, A4"],
  html: () => [say("share.offline")],
};

function sizeOf(view) {
  const artwork = picture(view.artwork);
  return artwork?.naturalWidth ? `${artwork.naturalWidth} × ${artwork.naturalHeight}` : "";
}

function startShare() {
  const places = Object.keys(PLACES).filter((format) => format !== "svg" || props.in_strokes);
  byId("share").querySelector(".places").replaceChildren(...places.map((format) =>
    make("button", { type: "button", id: `share-${format}`, onclick: () => share(format) }, make("strong"), make("span"))));
  parts.push(drawShare);
}

async function share(format) {
  Object.assign(sharing, { run: page.run, format });
  if ((await change("export", { formats: [format], options: { language: page.language } })) === undefined) sharing.format = null;
}

function drawShare() {
  const { view } = page;
  byId("share").hidden = !view?.video;
  if (!view?.video) return;
  if (sharing.run === page.run && sharing.format && !isBusy() && !isPaused()) handOver(view);
  for (const button of byId("share").querySelectorAll(".places button")) {
    const format = button.id.slice("share-".length);
    const [title, about] = button.children;
    title.textContent = say(`share.of.${format}`);
    about.textContent = PLACES[format](view).filter(Boolean).join(" · ");
    button.disabled = isLocked();
    button.classList.toggle("making", isBusy() && sharing.format === format);
  }
}

// What was asked for is there, or will not be; the browser asks where to keep it, or keeps it.
function handOver(view) {
  const { format } = sharing;
  sharing.format = null;
  const file = view.message?.key === "exports_ready" ? view.exports[0] : null;
  if (!file) return;
  const link = make("a", { href: address(file.path), download: `${fileName(view)}-${format}.${file.name.split(".").pop()}` });
  document.body.append(link);
  link.click();
  link.remove();
}

const fileName = (view) => (view.title || "timelapse").replace(/\.\w{2,4}$/, "").replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "timelapse";
