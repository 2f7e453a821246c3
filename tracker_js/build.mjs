// Builds dist/tracker.js (the tag), dist/<part>-<hash>.js (loaded on demand), dist/demo/, dist/docs/ (Swagger UI for the
// page at /docs) and dist/npm/ (the package). Into another folder: node build.mjs --outdir <path>
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import ts from 'typescript';
import { rrweb } from './rrweb.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({ options: { outdir: { type: 'string', default: `${here}dist` } } });
const dist = resolve(values.outdir);
/** Limits in KB gzipped. The build fails above them, so that growth is a decision (docs/adr/0017). */
const LIMITS = { tag: 6.5, all: 52.3 };

const common = { absWorkingDir: here, bundle: true, minify: true, target: 'es2020', sourcemap: false, legalComments: 'none', metafile: true, logLevel: 'warning' };

/** The licence texts of the bundled libraries, which they require to be passed on. */
const LICENCES = 'licences.txt';

/** web-vitals cannot be stopped, so it is bundled with globals that can. */
const inject = [`${here}src/removable-globals.ts`];

for (const name of await readdir(dist).catch(() => [])) await rm(`${dist}/${name}`, { recursive: true });

const sources = (await readdir(`${here}src`)).filter((name) => name.endsWith('.lazy.ts'));
/** A second recorder, for the few sites that record canvases. */
const CANVAS = 'canvas.lazy.ts';
const lazyBuild = (names, canvas) =>
  build({
    ...common,
    entryPoints: Object.fromEntries(names.map((name) => [name.replace('.lazy.ts', ''), `src/${name}`])),
    format: 'esm',
    outdir: dist,
    entryNames: '[name]-[hash]',
    inject,
    banner: { js: `/*! Licences: ${LICENCES} */` },
    plugins: [rrweb({ canvas })],
  });
const parts = {};
/** Folders of the bundled packages. */
const bundled = new Set();
for (const { metafile } of [await lazyBuild(sources.filter((name) => name !== CANVAS), false), await lazyBuild([CANVAS], true)]) {
  for (const [path, { entryPoint }] of Object.entries(metafile.outputs)) parts[basename(entryPoint, '.lazy.ts')] = basename(path);
  for (const path of Object.keys(metafile.inputs)) {
    const found = /^node_modules\/(@[^/]+\/)?[^/]+/.exec(path);
    if (found) bundled.add(found[0]);
  }
}
/** Returns the licence of a package. rrweb's packages have no licence file: the standard text of their licence is used. */
async function licenceOf(folder) {
  const { name, version, license, homepage } = JSON.parse(await readFile(`${here}${folder}/package.json`, 'utf8'));
  const file = (await readdir(`${here}${folder}`)).find((name) => /^licen[cs]e/i.test(name));
  const text = file
    ? await readFile(`${here}${folder}/${file}`, 'utf8')
    : `Copyright (c) the contributors of ${homepage}\n\n${await readFile(`${here}licences/${license}.txt`, 'utf8')}`;
  return `${name} ${version}, ${license}\n\n${text}\n\n`;
}
await writeFile(`${dist}/${LICENCES}`, (await Promise.all([...bundled].sort().map(licenceOf))).join(''));
const hashes = Object.fromEntries(Object.entries(parts).map(([part, name]) => [part, /-(\w+)\.js$/.exec(name)[1]]));
await build({
  ...common,
  entryPoints: { tracker: 'src/index.ts' },
  format: 'iife',
  outdir: dist,
  define: { PART_HASHES: JSON.stringify(hashes) },
});

// The package: readable modules with types; the libraries are its dependencies.
const { dependencies = {} } = JSON.parse(await readFile(`${here}package.json`, 'utf8'));
await build({
  ...common,
  entryPoints: { index: 'src/npm.ts' },
  format: 'esm',
  outdir: `${dist}/npm`,
  splitting: true,
  minify: false,
  chunkNames: '[name]-[hash]',
  external: Object.keys(dependencies),
  inject,
  plugins: [rrweb({ canvas: true })],
});
const program = ts.createProgram([`${here}src/npm.ts`], {
  ...ts.parseJsonConfigFileContent(ts.readConfigFile(`${here}tsconfig.json`, ts.sys.readFile).config, ts.sys, here).options,
  noEmit: false,
  declaration: true,
  emitDeclarationOnly: true,
  outDir: `${dist}/npm`,
});
/** The type files of the package's interface. */
const PUBLIC = { 'npm.d.ts': 'index.d.ts', 'api.d.ts': 'api.d.ts' };
program.emit(undefined, (path, text) => {
  const name = PUBLIC[basename(path)];
  if (name) ts.sys.writeFile(`${dist}/npm/${name}`, text);
});

await cp(`${dist}/${LICENCES}`, `${dist}/npm/${LICENCES}`);

await cp(`${here}demo`, `${dist}/demo`, { recursive: true });
// The player of /demo/watch.html.
const player = 'node_modules/rrweb-player';
await build({
  ...common,
  entryPoints: { player: `${player}/dist/rrweb-player.js`, style: `${player}/dist/style.css` },
  format: 'iife',
  globalName: 'rrwebPlayer',
  outdir: `${dist}/demo/player`,
  banner: { js: `/*! Licences: ${LICENCES} */` },
});
await writeFile(`${dist}/demo/player/${LICENCES}`, await licenceOf(player));
const swagger = `${here}node_modules/swagger-ui-dist`;
for (const name of ['swagger-ui-bundle.js', 'swagger-ui-standalone-preset.js']) {
  await cp(`${swagger}/${name}`, `${dist}/docs/${name}`);
  await cp(`${swagger}/${name}.LICENSE.txt`, `${dist}/docs/${name}.LICENSE.txt`);
}
for (const name of ['swagger-ui.css', 'LICENSE', 'NOTICE']) await cp(`${swagger}/${name}`, `${dist}/docs/${name}`);

const weights = {};
for (const name of ['tracker.js', ...Object.values(parts)]) {
  const bytes = await readFile(`${dist}/${name}`);
  weights[name] = gzipSync(bytes, { level: 9 }).length / 1000;
  console.log(`${name.padEnd(28)} ${(bytes.length / 1000).toFixed(1)} KB, ${weights[name].toFixed(2)} KB gzip`);
}
/** Parts that only screenshots load, and the recorder that replaces the other one. */
const DRAWING = ['screenshot', 'html2canvas', 'canvas'];
const rest = Object.entries(parts).filter(([part]) => !DRAWING.includes(part)).map(([, name]) => weights[name]);
const all = rest.reduce((sum, weight) => sum + weight, weights['tracker.js']);
console.log(`${'all without drawing'.padEnd(28)} ${all.toFixed(2)} KB gzip`);
const over = [];
if (weights['tracker.js'] > LIMITS.tag) over.push(`tracker.js is ${weights['tracker.js']} KB gzipped, more than ${LIMITS.tag}`);
if (all > LIMITS.all) over.push(`all without drawing is ${all} KB gzipped, more than ${LIMITS.all}`);
if (over.length) throw new Error(over.join('; '));
