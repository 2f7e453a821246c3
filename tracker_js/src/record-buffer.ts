import type { RecordBatches } from './record-batches';

/** What is kept back of a page that may turn out not to be worth it; more would be felt. */
const MAX_HELD_CHARACTERS = 16_000_000;
/** While an error is waited for: the minute before it, and what is needed to show it. */
const SEGMENTS = 2;

/** The recording of one session, which is held back while it is not known to be wanted. */
export interface RecordBuffer {
  /** False: the event is too large for any request. */
  push: (json: string, beginsSegment: boolean) => boolean;
  cut: () => void;
  /** The error that was waited for has come. */
  failed: () => void;
  /** The visit is no longer too short. */
  aged: () => void;
  readonly waitsForError: boolean;
}

/** `waitsForError` keeps the last two segments, each of which begins with a full snapshot; `isYoung` keeps all. */
export function createRecordBuffer(batches: RecordBatches, waitsForError: boolean, isYoung: boolean): RecordBuffer {
  let held: string[][] | undefined = waitsForError || isYoung ? [] : undefined;
  let characters = 0;

  const release = (): void => {
    if (waitsForError || isYoung) return;
    for (const segment of held ?? []) for (const json of segment) batches.push(json);
    held = undefined;
  };
  return {
    get waitsForError() {
      return waitsForError;
    },
    push(json, beginsSegment) {
      if (!held) return batches.push(json);
      if (characters + json.length > MAX_HELD_CHARACTERS) {
        // Nothing of it can be shown without its beginning: the next segment is a new one.
        held = [];
        characters = 0;
      }
      if (beginsSegment) held.push([]);
      while (waitsForError && held.length > SEGMENTS) for (const gone of held.shift() ?? []) characters -= gone.length;
      const segment = held[held.length - 1];
      if (segment) {
        segment.push(json);
        characters += json.length;
      }
      return true;
    },
    cut: batches.cut,
    failed() {
      waitsForError = false;
      release();
    },
    aged() {
      isYoung = false;
      release();
    },
  };
}
