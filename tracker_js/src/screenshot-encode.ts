import { blobToDataUrl } from './data-url';

/** Of an image as it is sent, decoded from base64. */
const MAX_BYTES = 500_000;
const QUALITIES = [0.8, 0.6, 0.4, 0.25];
/** Each step has half as many pixels. */
const STEP = Math.SQRT1_2;
/** Smaller, nothing on it could be read. */
const MIN_SCALE = 0.1;

export interface EncodedScreenshot {
  image_data: string;
  width: number;
  height: number;
}

/** Off this thread where the browser can. */
const encode = (canvas: HTMLCanvasElement, quality: number): Promise<Blob | null> =>
  new Promise((resolve) => {
    canvas.toBlob(resolve, 'image/jpeg', quality);
  });

function shrink(canvas: HTMLCanvasElement, scale: number): HTMLCanvasElement {
  const smaller = document.createElement('canvas');
  smaller.width = Math.max(1, Math.floor(canvas.width * scale));
  smaller.height = Math.max(1, Math.floor(canvas.height * scale));
  smaller.getContext('2d')?.drawImage(canvas, 0, 0, smaller.width, smaller.height);
  return smaller;
}

/** A JPEG of at most 500 KB: first at a lower quality, then in a smaller size. Undefined where none can be made. */
export async function encodeScreenshot(canvas: HTMLCanvasElement): Promise<EncodedScreenshot | undefined> {
  for (let scale = 1; scale >= MIN_SCALE; scale *= STEP) {
    const drawn = scale === 1 ? canvas : shrink(canvas, scale);
    // Once it has been too large at its lowest quality, it is not tried at its best again.
    for (const quality of scale === 1 ? QUALITIES : QUALITIES.slice(1)) {
      const blob = await encode(drawn, quality);
      if (blob?.type !== 'image/jpeg') return undefined;
      if (blob.size <= MAX_BYTES) return { image_data: await blobToDataUrl(blob), width: drawn.width, height: drawn.height };
    }
  }
  return undefined;
}
