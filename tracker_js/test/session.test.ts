import { beforeEach, expect, test, vi } from 'vitest';
import { openProjectStorage } from '../src/local-storage';
import { createSession as create, type Session } from '../src/session';
import { uuid } from '../src/uuid';

const MINUTE = 60_000;
let time = 1_700_000_000_000;
const now = (): number => time;
const createSession = (project: string): Session => create(openProjectStorage(project), now);

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

test('a session continues from page to page and ends after 30 minutes without activity', () => {
  const first = createSession('p');
  time += 29 * MINUTE;
  expect(createSession('p').id).toBe(first.id);
  time += 31 * MINUTE;
  expect(createSession('p').id).not.toBe(first.id);
});

test('passive events neither prolong a session nor begin one', () => {
  const session = createSession('p');
  const { id } = session;
  time += 20 * MINUTE;
  expect(session.touch(false)).toBe(id);
  time += 20 * MINUTE;
  expect(session.touch(false)).toBe(id);
  expect(session.touch(true)).not.toBe(id);
});

test('two tabs stay in one session while either is used', () => {
  const one = createSession('p');
  const other = createSession('p');
  time += 20 * MINUTE;
  other.touch(true);
  time += 20 * MINUTE;
  expect(one.touch(true)).toBe(other.id);
});

test('a session ends after a day, however active it was', () => {
  const session = createSession('p');
  const { id } = session;
  for (let minutes = 0; minutes < 24 * 60 - 20; minutes += 20) {
    time += 20 * MINUTE;
    expect(session.touch(true)).toBe(id);
  }
  time += 20 * MINUTE;
  expect(session.touch(true)).not.toBe(id);
});

test('a subscriber is called once for each new session, with its id', () => {
  const session = createSession('p');
  const notified: string[] = [];
  const stop = session.onRenew((id) => notified.push(id));
  time += 31 * MINUTE;
  session.touch(false);
  expect(notified).toEqual([]);
  session.touch(true);
  session.touch(true);
  expect(notified).toEqual([session.id]);
  stop();
  time += 31 * MINUTE;
  session.touch(true);
  expect(notified).toHaveLength(1);
});

test('another user is another session, and so is no user', () => {
  const session = createSession('p');
  const first = session.id;
  session.setUser('ada');
  session.setUser('ada');
  expect(session.id).toBe(first);
  session.setUser('bob');
  const second = session.id;
  expect([second === first, session.user]).toEqual([false, 'bob']);
  session.setUser();
  expect([session.id === second, session.user]).toEqual([false, undefined]);
  expect(createSession('p')).toMatchObject({ id: session.id, user: undefined });
});

test('a tab joins the session that another tab has begun, with its user', () => {
  const one = createSession('p');
  const other = createSession('p');
  time += 6_000;
  other.setUser('ada');
  other.touch(true);
  one.touch(true);
  expect(one.user).toBe('ada');
  time += 6_000;
  other.setUser();
  one.touch(true);
  expect(one.id).toBe(other.id);
});

test('each project of a site has its own session', () => {
  expect(createSession('p').id).not.toBe(createSession('q').id);
});

test('the start is sent once a session, and the user is kept for the next one', () => {
  const session = createSession('p');
  expect(session.started).toBe(false);
  session.markStarted(session.id);
  session.setUser('ada');
  expect(createSession('p')).toMatchObject({ started: true, user: 'ada' });
  time += 31 * MINUTE;
  expect(createSession('p')).toMatchObject({ started: false, user: 'ada' });
});

test('a browser that refuses storage has a session for each page', () => {
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
    throw new Error('SecurityError');
  });
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new Error('QuotaExceededError');
  });
  const session = createSession('p');
  expect(session.touch(true)).toBe(session.id);
});

test('unreadable storage is the same as none', () => {
  for (const rubbish of ['{', '"x"', '{"id":"../../x","at":1}', '{"id":5}', '{"id":"6513270e-269e-4d37-a2a7-4de452e6b438","at":1700000000000}']) {
    localStorage.setItem('tracker.session.p', rubbish);
    expect(createSession('p').id).toMatch(/^[\da-f]{8}-/);
  }
});

test('ids are version 4 UUIDs also where the page is not a secure context', () => {
  const form = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  expect(uuid()).toMatch(form);
  const { crypto } = globalThis;
  vi.stubGlobal('crypto', { getRandomValues: crypto.getRandomValues.bind(crypto) });
  expect(uuid()).toMatch(form);
  vi.stubGlobal('crypto', undefined);
  expect(uuid()).toMatch(form);
  expect(uuid()).not.toBe(uuid());
});
