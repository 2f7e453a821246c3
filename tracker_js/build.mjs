// Builds what the server serves: dist/tracker.js (the tag), dist/<name>-<hash>.js (loaded on demand), dist/demo/,
// dist/docs/ (Swagger UI for the page at /docs).
import { cp, readFile, readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = `${here}dist`;
/** What the tag may weigh on the wire (8.0 when this was written); the build fails above it, so that growth is a decision. */
const TAG_LIMIT_KB = 8.5;

const common = { absWorkingDir: here, bundle: true, minify: true, target: 'es2020', sourcemap: false, legalComments: 'none', metafile: true, logLevel: 'warning' };

for (const name of await readdir(dist).catch(() => [])) await rm(`${dist}/${name}`, { recursive: true });

const lazy = await build({ ...common, entryPoints: { screenshot: 'src/screenshot.lazy.ts' }, format: 'esm', outdir: 'dist', entryNames: '[name]-[hash]' });
const screenshot = basename(Object.keys(lazy.metafile.outputs)[0]);
await build({
  ...common,
  entryPoints: { tracker: 'src/index.ts' },
  format: 'iife',
  outdir: 'dist',
  define: { SCREENSHOT_FILE: JSON.stringify(screenshot) },
});
await cp(`${here}demo`, `${dist}/demo`, { recursive: true });
const swagger = `${here}node_modules/swagger-ui-dist`;
for (const name of ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js']) {
  await cp(`${swagger}/${name}`, `${dist}/docs/${name}`);
  await cp(`${swagger}/${name}.LICENSE.txt`, `${dist}/docs/${name}.LICENSE.txt`);
}
for (const name of ['swagger-ui.css', 'LICENSE', 'NOTICE']) await cp(`${swagger}/${name}`, `${dist}/docs/${name}`);

const kilobytes = async (name) => {
  const bytes = await readFile(`${dist}/${name}`);
  return [bytes.length / 1000, gzipSync(bytes, { level: 9 }).length / 1000];
};
for (const name of ['tracker.js', screenshot]) {
  const [plain, gzip] = await kilobytes(name);
  console.log(`${name.padEnd(24)} ${plain.toFixed(1)} KB, ${gzip.toFixed(1)} KB gzip`);
}
const [, tag] = await kilobytes('tracker.js');
if (tag > TAG_LIMIT_KB) throw new Error(`tracker.js is ${tag.toFixed(1)} KB gzip, more than ${TAG_LIMIT_KB}`);
