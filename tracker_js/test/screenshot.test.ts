import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { watchChanges } from '../src/screenshot-changes';
import { encodeScreenshot } from '../src/screenshot-encode';

/** Encodes to so many bytes a pixel at quality 1, and in proportion below. */
function fakeCanvas(bytesAPixel: number): HTMLCanvasElement {
  const canvas = { width: 1_000, height: 2_000 } as HTMLCanvasElement;
  canvas.getContext = (() => ({ drawImage: () => undefined })) as unknown as HTMLCanvasElement['getContext'];
  canvas.toBlob = function (this: HTMLCanvasElement, done, type, quality = 1) {
    done(new Blob([new Uint8Array(this.width * this.height * bytesAPixel * (quality))], { type: type ?? '' }));
  };
  return canvas;
}
const bytesOf = (data: string): number => atob(data.split(',')[1] ?? '').length;

describe('an encoded screenshot', () => {
  const smaller = (bytesAPixel: number): void => {
    vi.spyOn(document, 'createElement').mockImplementation(() => fakeCanvas(bytesAPixel));
  };
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('has full quality where it fits', async () => {
    const screenshot = await encodeScreenshot(fakeCanvas(0.2));
    expect(bytesOf(screenshot?.image_data ?? '')).toBe(320_000);
    expect([screenshot?.width, screenshot?.height]).toEqual([1_000, 2_000]);
  });

  it('loses quality first', async () => {
    const screenshot = await encodeScreenshot(fakeCanvas(0.5));
    expect(bytesOf(screenshot?.image_data ?? '')).toBe(400_000);
    expect(screenshot?.width).toBe(1_000);
  });

  it('then loses size, and is never larger than 500 KB', async () => {
    smaller(2);
    const screenshot = await encodeScreenshot(fakeCanvas(2));
    expect(bytesOf(screenshot?.image_data ?? '')).toBeLessThanOrEqual(500_000);
    expect(screenshot?.width).toBe(707);
  });

  it('is undefined where no JPEG can be made', async () => {
    const canvas = fakeCanvas(1);
    canvas.toBlob = (done) => {
      done(null);
    };
    expect(await encodeScreenshot(canvas)).toBeUndefined();
  });
});

describe('changes', () => {
  let changes: ReturnType<typeof watchChanges>;
  beforeEach(() => {
    document.body.innerHTML = '<p id="a">x</p><input id="b">';
    changes = watchChanges();
  });
  afterEach(() => {
    changes.stop();
  });
  const find = (id: string): HTMLElement => document.querySelector<HTMLElement>(`#${id}`) ?? document.body;

  it('are assumed until the page is watched', () => {
    expect(changes.hasChanged).toBe(true);
    changes.reset();
    expect(changes.hasChanged).toBe(false);
  });

  it.each([
    ['a text', () => (find('a').textContent = 'y')],
    ['an attribute', () => { find('a').classList.add('red'); }],
    ['an element', () => { document.body.append(document.createElement('p')); }],
    ['a value', () => find('b').dispatchEvent(new Event('input', { bubbles: true }))],
    ['a shadow tree', () => find('a').attachShadow({ mode: 'open' })],
    ['a canvas', () => { document.body.append(document.createElement('canvas')); }],
  ])('are detected: %s', (_, act) => {
    changes.reset();
    act();
    expect(changes.hasChanged).toBe(true);
  });

  it('do not include those of drawing', () => {
    changes.reset();
    const frame = document.createElement('div');
    frame.style.visibility = 'hidden';
    document.body.append(frame);
    frame.append('x');
    frame.remove();
    expect(changes.hasChanged).toBe(false);
  });
});
