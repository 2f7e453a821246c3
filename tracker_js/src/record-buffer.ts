import type { RecordBatches } from './record-batches';

/** The most that is held back of a recording. More would slow the page down. */
const MAX_HELD_CHARACTERS = 16_000_000;
/** While an error is waited for: the minute before it, and what is needed to replay that minute. */
const SEGMENTS = 2;

/** The recording of one session. Holds events back until it is known that the recording is wanted. */
export interface RecordBuffer {
  /** Returns false where the event is too large for any request. */
  push: (json: string, beginsSegment: boolean) => boolean;
  close: () => void;
  /** The error that was waited for has come. */
  setFailed: () => void;
  /** The session is no longer too short. */
  setLongEnough: () => void;
  readonly waitsForError: boolean;
}

/** With `waitsForError`, keeps the last two segments, each of which begins with a full snapshot; with `isTooShort`, keeps all. */
export function createRecordBuffer(batches: RecordBatches, waitsForError: boolean, isTooShort: boolean): RecordBuffer {
  let held: string[][] | undefined = waitsForError || isTooShort ? [] : undefined;
  let characters = 0;

  const release = (): void => {
    if (waitsForError || isTooShort) return;
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
        // Without their beginning the other events cannot be replayed: the next segment starts anew.
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
    close: batches.close,
    setFailed() {
      waitsForError = false;
      release();
    },
    setLongEnough() {
      isTooShort = false;
      release();
    },
  };
}
