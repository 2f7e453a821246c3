import { call, once, show, tell, welcome } from './door.js';

const RULE = '10 characters or more. A few words are easier to remember than signs.';
/** What the page says, by what the link is for. */
const TEXTS = {
  'first owner': () => ['Make the owner’s account', 'You will own every project of this server, and invite others.', RULE, 'Make the account'],
  invitation: (link) => [
    `Join ${link.project_name}`,
    `You are invited as ${link.role}.`,
    `New here? Choose a password: ${RULE} Have an account here? Type its password.`,
    'Join',
  ],
  password: () => ['Set a new password', 'All browsers that are logged in to your account will be logged out.', RULE, 'Set it and log in'],
};
const token = location.hash.slice(1); // after the #: it is sent to no server with the page, and is in no log
const form = document.querySelector('form');
addEventListener('hashchange', () => location.reload()); // another link, pasted into the same tab

async function useLink(fields, csrf) {
  const answer = await call('POST', '/links/use', { token, ...fields }, csrf);
  if (!answer.ok) return tell(answer.message);
  history.replaceState(null, '', '/join'); // it has done its work
  await welcome();
}

function begin(link, me) {
  const part = show('in');
  const [title, lead, rule, button] = TEXTS[link.purpose](link);
  part.querySelector('h1').textContent = title;
  document.title = `${title} – tracker-backend`;
  part.querySelector('.lead').textContent = lead;
  part.querySelector('.hint').textContent = rule;
  const submit = form.querySelector('button');
  submit.textContent = button;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void once(submit, () => useLink(Object.fromEntries(new FormData(form))));
  });
  if (link.purpose !== 'invitation' || !me.ok) return form.elements.email.focus();
  const choice = part.querySelector('.as');
  const [asMe, other] = choice.querySelectorAll('button');
  asMe.textContent = `Join as ${me.body.email}`;
  asMe.addEventListener('click', () => once(asMe, () => useLink({}, me.body.csrf_token)));
  other.addEventListener('click', () => {
    [choice.hidden, form.hidden] = [true, false];
    form.elements.email.focus();
  });
  [choice.hidden, form.hidden] = [false, true];
}

const look = token ? await call('POST', '/links/look', { token }) : { ok: false, message: 'It is not whole: copy all of it, also what stands after the #.' };
if (look.ok) begin(look.body, await call('GET', '/me'));
else show('dead').querySelector('.lead').textContent = look.message;
