import { fnv1a } from './fnv-hash';

/** Whether a session is one of the share that is recorded: the same on all its pages, and apart from the project's `sampling_rate`. */
export const isSampled = (sessionId: string, share: number): boolean => fnv1a(`recording ${sessionId}`) / 2 ** 32 < share;
