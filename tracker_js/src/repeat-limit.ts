/** The same report is sent at most this often. */
const MAX_SAME = 5;
/** All reports together: a page that makes more is known to be broken. */
const MAX_TOTAL = 100;

/** Returns a function that is true for a report, known by its fingerprint, as long as it is below both limits. */
export function createRepeatLimit(): (fingerprint: string) => boolean {
  const counts = new Map<string, number>();
  let total = 0;
  return (fingerprint) => {
    const count = counts.get(fingerprint) ?? 0;
    // Reports above the limits take no memory.
    if (count >= MAX_SAME || total >= MAX_TOTAL) return false;
    counts.set(fingerprint, count + 1);
    total++;
    return true;
  };
}
