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
  it('go after five seconds, under the name that they were begun with', () => {
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
    expect(last?.body('then').startsWith(ahead?.slice(0, -2) ?? '-')).toBe(true);
  });

  it('are cut when they are full, and a snapshot goes with its Meta event', () => {
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

  it('take up to what the server takes, counted in bytes', () => {
    const sent: Item[] = [];
    const batches = createRecordBatches(ID, (item) => sent.push(item));
    expect(batches.push(JSON.stringify('x'.repeat(10_000_000)))).toBe(true);
    expect(batches.push(JSON.stringify('€'.repeat(4_000_000)))).toBe(false);
    expect(sent).toHaveLength(1);
  });
});

describe('a reel', () => {
  const open = (waitsForError: boolean, isTooShort: boolean): { told: string[]; buffer: ReturnType<typeof createRecordBuffer> } => {
    const told: string[] = [];
    const batches = {
      push: (json: string) => {
        told.push(json);
        return true;
      },
      close: () => undefined,
    };
    return { told, buffer: createRecordBuffer(batches, waitsForError, isTooShort) };
  };

  it('tells at once what is wanted', () => {
    const { told, buffer } = open(false, false);
    buffer.push('a', true);
    expect(told).toEqual(['a']);
  });

  it('tells all of a visit once it is old enough', () => {
    const { told, buffer } = open(false, true);
    for (const [json, begins] of [['a', true], ['b', false], ['c', true], ['d', true]] as const) buffer.push(json, begins);
    expect(told).toEqual([]);
    buffer.setLongEnough();
    buffer.push('e', false);
    expect(told).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('waiting for an error keeps two segments, which begin with a snapshot', () => {
    const { told, buffer } = open(true, false);
    for (const segment of ['a', 'b', 'c']) {
      buffer.push(`${segment}1`, true);
      buffer.push(`${segment}2`, false);
    }
    buffer.setFailed();
    expect(told).toEqual(['b1', 'b2', 'c1', 'c2']);
    expect(buffer.waitsForError).toBe(false);
  });

  it('waits for both, an error and the age', () => {
    const { told, buffer } = open(true, true);
    buffer.push('a', true);
    buffer.setFailed();
    expect(told).toEqual([]);
    buffer.setLongEnough();
    expect(told).toEqual(['a']);
  });

  it('that would become too large begins again with the next snapshot', () => {
    const { told, buffer } = open(true, false);
    buffer.push('a', true);
    for (let i = 0; i < 17; i++) buffer.push('x'.repeat(1_000_000), false);
    buffer.push('lost', false);
    buffer.push('b', true);
    buffer.push('c', false);
    buffer.setFailed();
    expect(told).toEqual(['b', 'c']);
  });
});

describe('the share of sessions', () => {
  const ids = Array.from({ length: 2_000 }, (_, i) => `${i.toString(16).padStart(8, '0')}-1111-4111-8111-111111111111`);

  it('is what it says, and grows with the rate', () => {
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
  it('add those of the options to our own', () => {
    expect(blockSelector({ block: '.ad' })).toMatch(/^\[data-block\],.*,\.ad$/);
    expect(maskSelector({ maskText: '' })).toBe('.rr-mask');
  });

  it('that are none are an error, so that nothing is recorded', () => {
    expect(() => maskSelector({ maskText: 'div[' })).toThrow();
  });
});
