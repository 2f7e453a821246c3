/** Runs `work` when the browser is idle, at the latest after `timeout` milliseconds; soon where it has no idle callbacks. */
export function whenIdle(work: () => void, timeout?: number): void {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(work, { timeout });
  else setTimeout(work);
}
