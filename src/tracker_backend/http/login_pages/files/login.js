import { call, once, show, tell, welcome } from './door.js';

const form = document.querySelector('form');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  void once(form.querySelector('button'), async () => {
    const { email, password } = Object.fromEntries(new FormData(form));
    const answer = await call('POST', '/login', { email, password });
    if (answer.ok) await welcome();
    else tell(answer.message);
  });
});

const me = await call('GET', '/me');
if (me.ok) await welcome();
else {
  show('in');
  form.elements.email.focus();
}
