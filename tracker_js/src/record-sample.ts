import { fnv1a } from './fnv-hash';

/**
 * Whether a session is recorded by `recordSample`. The same on all pages of the session, and independent of the
 * project's `sampling_rate`.
 */
export const isSampled = (sessionId: string, share: number): boolean => fnv1a(`recording ${sessionId}`) / 2 ** 32 < share;
