import { expect, test, vi } from 'vitest';
import { resolveOptions } from '../src/options';

const of = (given: Record<string, unknown>) => resolveOptions(given);

test('without options there are the defaults', () => {
  expect(of({ project: undefined })).toEqual(of({}));
  expect(of({})).toMatchObject({ screenshots: true, record: undefined, recordSample: 1, console: 'error', screenshotEngine: 'modern-screenshot' });
});

test.each([
  [{ screenshots: 'false' }, { screenshots: false }],
  [{ record: '' }, { record: true }],
  [{ record: 'true' }, { record: true }],
  [{ record: 'false' }, { record: false }],
  [{ recordSample: '0.25' }, { recordSample: 0.25 }],
  [{ recordSample: 'some' }, { recordSample: 1 }],
  [{ recordMinSeconds: '10' }, { recordMinSeconds: 10 }],
  [{ console: 'false' }, { console: false }],
  [{ console: 'all' }, { console: 'all' }],
  [{ maskText: '' }, { maskText: '' }],
  [{ block: '.card' }, { block: '.card' }],
  [{ project: '' }, { project: '' }],
  [{ respectDnt: '' }, { respectDnt: true }],
])('attributes are read by the type of their option: %o', (given, meant) => {
  expect(of(given)).toMatchObject(meant);
});

test('unknown options are reported once, all together', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  of({ screenshot: false, samplerate: 1, vitals: false });
  expect(warn.mock.calls).toEqual([['tracker: unknown options: screenshot, samplerate']]);
});
