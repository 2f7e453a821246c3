// A site that bundles the npm package: node package.mjs <serverUrl> <writeKey>
// Packs it, installs it in a folder, checks a program against its types, bundles that and visits it. Prints one JSON object.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openVisitor } from '../visitor.mjs';

const packageFolder = fileURLToPath(new URL('../../../tracker_js', import.meta.url));
const require = createRequire(join(packageFolder, 'package.json'));
const { build } = require('esbuild');
const [server, project] = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'drive-package-'));

const APP = `import tracker, { createTracker, type Options } from 'tracker-js';
const options: Options = { project: ${JSON.stringify(project)}, endpoint: ${JSON.stringify(server)}, screenshots: false };
tracker.track('early', { n: 1 });
tracker.init(options);
tracker.startRecording();
void tracker.flush().then(async () => {
  await tracker.stop();
  const second = createTracker({ ...options, auto: false });
  document.title = \`\${typeof second.sessionId} \${String(tracker.dropped)}\`;
});
Object.assign(window, { tracker });
// @ts-expect-error: there is no such option
tracker.init({ projet: 'x' });
`;

const [{ filename, files }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: packageFolder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
const installed = join(folder, 'node_modules', 'tracker-js');
await mkdir(installed, { recursive: true });
execFileSync('tar', ['-xzf', join(folder, filename), '--strip-components=1', '-C', installed]);
const { dependencies } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'));
for (const name of Object.keys(dependencies)) await symlink(join(packageFolder, 'node_modules', name), join(folder, 'node_modules', name));

await writeFile(join(folder, 'app.ts'), APP);
const tsc = join(packageFolder, 'node_modules/typescript/bin/tsc');
const check = ['--strict', '--noEmit', '--module', 'esnext', '--moduleResolution', 'bundler', '--target', 'es2020', '--lib', 'es2020,dom', 'app.ts'];
execFileSync(process.execPath, [tsc, ...check], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
await build({ entryPoints: [join(folder, 'app.ts')], bundle: true, splitting: true, format: 'esm', target: 'es2020', outdir: join(folder, 'site'), logLevel: 'warning' });

const site = createServer(async ({ url }, response) => {
  const text = url === '/' ? '<!doctype html><title>packed</title><p>A page.</p><script type="module" src="/app.js"></script>' : await readFile(join(folder, 'site', url), 'utf8').catch(() => undefined);
  response.writeHead(text === undefined ? 404 : 200, { 'Content-Type': url === '/' ? 'text/html' : 'text/javascript' }).end(text);
});
await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve));
const visitor = await openVisitor(60_000);
const page = await visitor.browser.newPage();
const errors = [];
page.on('pageerror', (error) => errors.push(error.message));
await page.goto(`http://127.0.0.1:${site.address().port}/`);
await page.waitForFunction(() => window.tracker?.sessionId);
const session = await page.evaluate(() => window.tracker.sessionId);
await page.waitForFunction(() => document.title.startsWith('string'));
console.log(JSON.stringify({ session, title: await page.title(), errors, files: files.map(({ path }) => path) }));
await visitor.close();
site.close();
await rm(folder, { recursive: true, force: true });
