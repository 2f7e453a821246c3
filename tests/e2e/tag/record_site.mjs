// A site on another origin than the server, whose tag sends through a gate that keeps every body.
import { createServer, request as httpRequest } from 'node:http';
import { readFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.svg': 'image/svg+xml', '.bmp': 'image/bmp' };
const PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><rect width="80" height="60" fill="#c00"/></svg>';

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

/** A picture of noise, which no encoder makes small. */
function noise(width, height, seed) {
  const header = Buffer.alloc(54);
  const row = Math.ceil((width * 3) / 4) * 4;
  header.write('BM');
  for (const [at, value] of [[2, 54 + row * height], [10, 54], [14, 40], [18, width], [22, height], [28, 24]]) header.writeUInt32LE(value, at);
  header.writeUInt16LE(1, 26);
  const pixels = Buffer.alloc(row * height);
  let state = seed + 1;
  for (let i = 0; i < pixels.length; i++) pixels[i] = (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16;
  return Buffer.concat([header, pixels]);
}

/** `server`: the real one; `folder`: pages in which `%TAG%` becomes the tag, with the attributes of the page's query. */
export async function openSite(server, folder) {
  /** What the tag sent: {path, status, text}, in the order of arrival. */
  const sent = [];
  const waiting = new Set();
  const look = () => {
    for (const one of [...waiting]) if (one.is(sent)) {
      waiting.delete(one);
      one.resolve();
    }
  };

  const gate = createServer(async (request, response) => {
    // A build that is tried out, in the place of the server's.
    if (process.env.TRACKER_DIST && /^\/tracker[./]/.test(request.url)) {
      response.writeHead(200, { 'Content-Type': 'text/javascript', 'Access-Control-Allow-Origin': '*' });
      return void response.end(await readFile(join(process.env.TRACKER_DIST, basename(request.url))));
    }
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // it went with its page
    }
    const body = Buffer.concat(chunks);
    const { host: _host, ...headers } = request.headers;
    const onward = httpRequest(`${server}${request.url}`, { method: request.method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      if (request.method !== 'POST') return;
      const text = (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body).toString();
      answer.on('end', () => {
        sent.push({ path: new URL(request.url, server).pathname.replace('/api/v1', ''), status: answer.statusCode, text });
        look();
      });
    });
    onward.on('error', () => response.destroy());
    onward.end(body);
  });
  const gatePort = await listen(gate);
  const tag = `http://127.0.0.1:${gatePort}/tracker.js`;

  const site = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://site');
    const type = TYPES[extname(pathname)] ?? 'text/plain';
    response.setHeader('Content-Type', type);
    if (pathname === '/picture.svg') return void response.end(PICTURE);
    if (pathname.endsWith('.bmp')) return void response.end(noise(640, 480, Number(pathname.slice(1, -4))));
    const text = await readFile(join(folder, pathname.slice(1)), 'utf8').catch(() => undefined);
    if (text === undefined) return void response.writeHead(404).end();
    const attributes = [...searchParams].map(([name, value]) => ` data-${name}="${value}"`).join('');
    response.end(text.replace('%TAG%', `<script async src="${tag}"${attributes}></script>`));
  });
  const port = await listen(site);

  return {
    /** `localhost` is another site than 127.0.0.1, and not only another port. */
    url: (page, attributes = {}) => `http://localhost:${port}/${page}?${new URLSearchParams(attributes)}`,
    sent,
    recordings: (session) => sent.filter(({ path, text }) => path === '/track/recording' && (!session || text.includes(session))),
    events: (session) => sent.filter(({ path, text }) => path === '/track/recording' && text.startsWith(`{"session_id":"${session}"`)).flatMap(({ text }) => JSON.parse(text).events),
    images: () => sent.filter(({ path }) => path === '/track/screenshot').map(({ text }) => JSON.parse(text)),
    /** Until what was sent is so. */
    until: (is) => new Promise((resolve) => {
      waiting.add({ is, resolve });
      look();
    }),
    close() {
      gate.close();
      site.close();
    },
  };
}
