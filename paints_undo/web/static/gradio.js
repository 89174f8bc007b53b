// Gradio's own words, in the page's language: its translations follow, and what they leave out is said by us.

// For each text "gradio.…": how it reads in any language, so that it is known again after another was chosen.
const gradioWords = Object.entries(props.texts).filter(([key]) => key.startsWith("gradio.")).flatMap(([key, texts]) =>
  Object.values(texts).map((text) => ({ key, form: new RegExp(`^${text.replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{(\w+)\}/g, "(?<$1>.+)")}$`) })));
const GRADIO_NAMES = ["aria-label", "title", "alt"];

function rewordGradio(found) {
  if (found.closest("#workbench, #toolbar")) return;
  for (const attribute of GRADIO_NAMES) {
    const words = found.getAttribute(attribute);
    const known = words && gradioWords.find(({ form }) => form.test(words));
    const better = known && say(known.key, known.form.exec(words).groups);
    if (better && better !== words) found.setAttribute(attribute, better);
  }
  for (const node of found.childNodes) {
    const known = node.nodeType === Node.TEXT_NODE && gradioWords.find(({ form }) => form.test(node.data.trim()));
    if (known && say(known.key) !== node.data.trim()) node.data = say(known.key);
  }
}

const GRADIO_WORDED = [...GRADIO_NAMES.map((attribute) => `[${attribute}]`), "#artwork *"].join();
const rewordAll = (root) => root.querySelectorAll(GRADIO_WORDED).forEach(rewordGradio);

// The function that changes the language is in one of gradio's modules, which the page has loaded already.
function speakGradio() {
  const core = document.querySelector('link[href*="/assets/core-"][href$=".js"]')?.href;
  if (core) import(core).then(({ changeLocale }) => changeLocale?.(page.language)).catch(() => {});
  rewordAll(document.body);
}

function startGradio() {
  const watch = new MutationObserver((changes) => changes.forEach(({ target, type }) => (type === "attributes" ? rewordGradio : rewordAll)(target)));
  watch.observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: GRADIO_NAMES });
}
