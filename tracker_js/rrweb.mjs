// Patches rrweb's recorder when it is bundled. Each piece must be found, so that a new version of rrweb is checked.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

const listening = fileURLToPath(new URL('src/record-listeners.ts', import.meta.url));

function replace(text, piece, other) {
  if (!text.includes(piece)) throw new Error(`rrweb has no ${JSON.stringify(piece)} any more: see rrweb.mjs`);
  return text.replaceAll(piece, other);
}

/** Removes the recorder of canvases, a seventh of the code: a canvas is then recorded like any other element. */
function withoutCanvas(text) {
  const begin = text.indexOf('var chars = "ABCDEFGHIJKLM');
  const end = text.indexOf('class StylesheetManager {');
  if (begin < 0 || end < begin || !text.slice(begin, end).includes('class CanvasManager {')) throw new Error('rrweb has its canvases elsewhere: see rrweb.mjs');
  return `${text.slice(0, begin)}class CanvasManager { reset() {} freeze() {} unfreeze() {} lock() {} unlock() {} }\n${text.slice(end)}`;
}

/** rrweb adds listeners and observers at each snapshot and never removes them. These replacements can be removed. */
function withEnds(text) {
  let made = text;
  for (const target of ['iframeEl', 'link']) made = replace(made, `${target}.addEventListener("load", `, `listenTo(${target}, "load", `);
  made = replace(made, 'window.addEventListener("message", ', 'listenTo(window, "message", ');
  made = replace(made, '(_a2 = iframeEl.contentWindow) == null ? void 0 : _a2.addEventListener(\n        "message",', 'listenTo(\n        iframeEl.contentWindow,\n        "message",');
  made = replace(made, 'handlers.push(observe(iframeEl.contentDocument));', 'observeFrame(iframeEl.contentDocument, observe, handlers, mutationBuffers);');
  return `import { listenTo, observeFrame } from ${JSON.stringify(listening)};\n${made}`;
}

/** rrweb must not write to the page's console. */
const SILENT = 'const console = { debug() {}, warn() {} };\n';

/** Returns a plugin for esbuild. */
export const rrweb = ({ canvas }) => ({
  name: 'rrweb',
  setup(build) {
    build.onLoad({ filter: /@rrweb[\\/]record[\\/]dist[\\/]record\.js$/ }, async ({ path }) => {
      const text = SILENT + withEnds(await readFile(path, 'utf8'));
      return { contents: canvas ? text : withoutCanvas(text), loader: 'js' };
    });
  },
});
