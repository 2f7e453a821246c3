/** True for what is news: not for the sixth of the same, nor after a hundred, when a page is known to be broken. */
export function createRepeatLimit(same = 5, sum = 100): (fingerprint: string) => boolean {
  const counts = new Map<string, number>();
  return (fingerprint) => {
    const count = (counts.get(fingerprint) ?? 0) + 1;
    // What is over the limit takes no more room.
    if (count > same || sum <= 0) return false;
    counts.set(fingerprint, count);
    sum--;
    return true;
  };
}
