import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Item } from '../src/delivery-types';
import { blockSelector, maskSelector } from '../src/mask-selectors';
import { createRecordBatches } from '../src/record-batches';
import { createRecordBuffer } from '../src/record-buffer';
import { isSampled } from '../src/record-sample';

const ID = '11111111-1111-4111-8111-111111111111';
const eventsOf = (item: Item): unknown[] => (JSON.parse(item.body('2026-01-01T00:00:00.000Z')) as { events: unknown[] }).events;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('batches', () => {
  it('are sent after five seconds, under the id they were opened with', () => {
    const sent: Item[] = [];
    const batches = createRecordBatches(ID, (item) => sent.push(item));
    batches.push('1');
    const ahead = sent[0]?.body('then');
    batches.push('2');
    expect(sent.every((item) => item.open)).toBe(true);
    vi.advanceTimersByTime(5_000);
    const [last] = sent.slice(-1);
    expect(new Set(sent).size).toBe(1);
    expect([last?.open, last?.events, last?.sessionId, last?.path]).toEqual([false, 2, ID, '/track/recording']);
    expect(last?.body('then').startsWith(ahead?.slice(0, -2).replace('"partial":true,', '') ?? '-')).toBe(true);
  });

  it('are closed when they are full, and a snapshot goes with its Meta event', () => {
    const closed: Item[] = [];
    const batches = createRecordBatches(ID, (item) => {
      if (!item.open) closed.push(item);
    });
    batches.push('"meta"');
    batches.push(JSON.stringify('x'.repeat(300_000)));
    batches.push('3');
    expect(closed.map((item) => eventsOf(item).length)).toEqual([2]);
    for (let i = 0; i < 100; i++) batches.push(JSON.stringify('y'.repeat(5_000)));
    expect(closed.length).toBeGreaterThan(4);
    batches.close();
    expect(closed.flatMap(eventsOf)).toHaveLength(103);
  });

  it('are at most as large as the server takes, counted in bytes', () => {
    const sent: Item[] = [];
    const batches = createRecordBatches(ID, (item) => sent.push(item));
    expect(batches.push(JSON.stringify('x'.repeat(10_000_000)))).toBe(true);
    expect(batches.push(JSON.stringify('€'.repeat(4_000_000)))).toBe(false);
    expect(sent).toHaveLength(1);
  });
});

describe('a record buffer', () => {
  const open = (waitsForError: boolean, isTooShort: boolean): { pushed: string[]; buffer: ReturnType<typeof createRecordBuffer> } => {
    const pushed: string[] = [];
    const batches = {
      push: (json: string) => {
        pushed.push(json);
        return true;
      },
      close: () => undefined,
    };
    return { pushed, buffer: createRecordBuffer(batches, waitsForError, isTooShort) };
  };

  it('passes events on at once when they are wanted', () => {
    const { pushed, buffer } = open(false, false);
    buffer.push('a', true);
    expect(pushed).toEqual(['a']);
  });

  it('passes on all events of a session once it is long enough', () => {
    const { pushed, buffer } = open(false, true);
    for (const [json, begins] of [['a', true], ['b', false], ['c', true], ['d', true]] as const) buffer.push(json, begins);
    expect(pushed).toEqual([]);
    buffer.setLongEnough();
    buffer.push('e', false);
    expect(pushed).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('keeps two segments while it waits for an error, each beginning with a snapshot', () => {
    const { pushed, buffer } = open(true, false);
    for (const segment of ['a', 'b', 'c']) {
      buffer.push(`${segment}1`, true);
      buffer.push(`${segment}2`, false);
    }
    buffer.setFailed();
    expect(pushed).toEqual(['b1', 'b2', 'c1', 'c2']);
    expect(buffer.waitsForError).toBe(false);
  });

  it('waits for both the error and the minimum length', () => {
    const { pushed, buffer } = open(true, true);
    buffer.push('a', true);
    buffer.setFailed();
    expect(pushed).toEqual([]);
    buffer.setLongEnough();
    expect(pushed).toEqual(['a']);
  });

  it('begins anew with the next snapshot when it is full', () => {
    const { pushed, buffer } = open(true, false);
    buffer.push('a', true);
    for (let i = 0; i < 17; i++) buffer.push('x'.repeat(1_000_000), false);
    buffer.push('lost', false);
    buffer.push('b', true);
    buffer.push('c', false);
    buffer.setFailed();
    expect(pushed).toEqual(['b', 'c']);
  });
});

describe('the share of recorded sessions', () => {
  const ids = Array.from({ length: 2_000 }, (_, i) => `${i.toString(16).padStart(8, '0')}-1111-4111-8111-111111111111`);

  it('is the given one, and grows with the rate', () => {
    const tenth = ids.filter((id) => isSampled(id, 0.1));
    expect(tenth.length).toBeGreaterThan(140);
    expect(tenth.length).toBeLessThan(260);
    expect(tenth.every((id) => isSampled(id, 0.5))).toBe(true);
  });

  it('is none or all at its ends', () => {
    expect(ids.some((id) => isSampled(id, 0))).toBe(false);
    expect(ids.every((id) => isSampled(id, 1))).toBe(true);
  });
});

describe('selectors', () => {
  it('join those of the options and the built-in ones', () => {
    expect(blockSelector({ block: '.ad' })).toMatch(/^\[data-block\],.*,\.ad$/);
    expect(maskSelector({ maskText: '' })).toBe('.rr-mask');
  });

  it('that are invalid throw, so that nothing is recorded', () => {
    expect(() => maskSelector({ maskText: 'div[' })).toThrow();
  });
});
