// Shared by both pages: calls of the API, error messages, and the view of somebody who is logged in.

/** Calls the API; `ok` says whether it worked, `body` is the answer's JSON, `message` is what a person should read. */
export async function call(method, path, body, csrf) {
  const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(csrf && { 'X-CSRF-Token': csrf }) };
  try {
    const answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await answer.text();
    const json = text ? JSON.parse(text) : null;
    return { ok: answer.ok, body: json, message: answer.ok ? '' : sentence(json.detail) };
  } catch {
    return { ok: false, body: null, message: 'The server cannot be reached. Try again.' };
  }
}

/** An API's detail as a sentence of its own. */
function sentence(detail) {
  const text = detail.replaceAll('`', '');
  return text[0].toUpperCase() + text.slice(1);
}

/** Shows one part of the page. */
export function show(id) {
  for (const section of document.querySelectorAll('section')) section.hidden = section.id !== id;
  return document.getElementById(id);
}

/** Shows a problem below the form, or takes it away. */
export function tell(text) {
  const place = document.querySelector('.problem');
  place.textContent = text;
  place.hidden = !text;
}

/** Runs what a form or a button asks for, once at a time. */
export async function once(button, act) {
  if (button.disabled) return;
  tell('');
  button.disabled = true;
  try {
    await act();
  } finally {
    button.disabled = false;
  }
}

/** The page of somebody who is logged in. */
export async function welcome() {
  const me = await call('GET', '/me');
  if (!me.ok) return location.assign('/login');
  const part = show('done');
  document.title = 'You are logged in – tracker-backend';
  const list = element('ul', {}, ...me.body.projects.map((it) => element('li', {}, it.name, element('span', {}, it.role))));
  const out = element('button', { type: 'button', className: 'quiet' }, 'Log out');
  out.addEventListener('click', () =>
    once(out, async () => {
      await call('POST', '/logout', undefined, me.body.csrf_token);
      location.assign('/login');
    }),
  );
  part.replaceChildren(
    element('h1', {}, 'You are logged in'),
    element('p', { className: 'lead' }, `as ${me.body.email}`),
    me.body.projects.length ? list : element('p', { className: 'hint' }, 'You are in no project yet: ask an owner for an invitation.'),
    element('p', { className: 'links' }, element('a', { href: '/docs' }, 'API documentation'), out),
  );
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
