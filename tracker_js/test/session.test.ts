import { beforeEach, expect, test, vi } from 'vitest';
import { createSession } from '../src/session';
import { uuid } from '../src/uuid';

const MINUTE = 60_000;
let time = 1_700_000_000_000;
const now = (): number => time;

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});

test('a visit goes on from page to page and ends after 30 minutes of rest', () => {
  const first = createSession('p', now);
  time += 29 * MINUTE;
  expect(createSession('p', now).id).toBe(first.id);
  time += 31 * MINUTE;
  expect(createSession('p', now).id).not.toBe(first.id);
});

test('what happens by itself neither prolongs a visit nor begins one', () => {
  const session = createSession('p', now);
  const { id } = session;
  time += 20 * MINUTE;
  expect(session.touch(false)).toBe(id);
  time += 20 * MINUTE;
  expect(session.touch(false)).toBe(id);
  expect(session.touch(true)).not.toBe(id);
});

test('two tabs stay in one visit while either is used', () => {
  const one = createSession('p', now);
  const other = createSession('p', now);
  time += 20 * MINUTE;
  other.touch(true);
  time += 20 * MINUTE;
  expect(one.touch(true)).toBe(other.id);
});

test('each project of a site has a visit of its own', () => {
  expect(createSession('p', now).id).not.toBe(createSession('q', now).id);
});

test('the start is told once a visit, and the user is kept for the next visit', () => {
  const session = createSession('p', now);
  expect(session.started).toBe(false);
  session.markStarted(session.id);
  session.user = 'ada';
  expect(createSession('p', now)).toMatchObject({ started: true, user: 'ada' });
  time += 31 * MINUTE;
  expect(createSession('p', now)).toMatchObject({ started: false, user: 'ada' });
});

test('a browser that refuses storage has a visit for each page', () => {
  vi.spyOn(Storage.prototype, 'getItem').mockImplementation(() => {
    throw new Error('SecurityError');
  });
  vi.spyOn(Storage.prototype, 'setItem').mockImplementation(() => {
    throw new Error('QuotaExceededError');
  });
  const session = createSession('p', now);
  expect(session.touch(true)).toBe(session.id);
});

test('rubbish in the storage is as nothing', () => {
  for (const rubbish of ['{', '"x"', '{"id":"../../x","at":1}', '{"id":5}']) {
    localStorage.setItem('tracker.session.p', rubbish);
    expect(createSession('p', now).id).toMatch(/^[\da-f]{8}-/);
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
