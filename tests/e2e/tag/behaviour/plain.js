// What the page itself gets of its own calls, so that a test can see that nothing stood between.
window.got = { rejections: [], caught: [], console: [] };
addEventListener('unhandledrejection', ({ reason }) => got.rejections.push(String(reason)));

const elsewhere = new URLSearchParams(location.search).get('elsewhere');

window.doings = {
  failedFetch: async () => (await fetch('/missing/item?token=t0ken-in-query#part', { method: 'POST', body: 'body-canary' })).status,
  failedXhr: () =>
    new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.onloadend = () => resolve(request.status);
      request.open('GET', '/broken?id=7');
      request.send();
    }),
  reusedXhr: () =>
    new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open('GET', '/plain.js');
      request.onload = () => {
        request.onload = () => resolve(request.status);
        request.open('GET', '/missing/second');
        request.send();
      };
      request.send();
    }),
  refusedFetch: () => fetch(elsewhere).catch((error) => got.caught.push(error.name)),
  refusedXhr: () =>
    new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.onerror = resolve;
      request.open('GET', elsewhere);
      request.send();
    }),
  uncaughtFetch: () =>
    new Promise((resolve) => {
      addEventListener('unhandledrejection', resolve, { once: true });
      void fetch(`${elsewhere}uncaught`);
    }),
  abortedFetch: () => {
    const abort = new AbortController();
    const answer = fetch('/slow', { signal: abort.signal }).catch((error) => got.caught.push(error.name));
    abort.abort();
    return answer;
  },
  fineFetch: async () => (await fetch(new Request('/plain.js'))).status,
  missingImage: () =>
    new Promise((resolve) => {
      const image = document.body.appendChild(new Image());
      image.id = 'missing';
      image.onerror = resolve;
      image.src = '/missing/image.png?token=t0ken-in-query';
    }),
  say: () => {
    console.error('cart %s is broken', 'A-7', { secret: 'object-canary' }, new RangeError('too many'));
    console.warn('a warning');
  },
};
