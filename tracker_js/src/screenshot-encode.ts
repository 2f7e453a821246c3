import { blobToDataUrl } from './data-url';

/** Of the image as it is sent, decoded from base64. */
const MAX_BYTES = 500_000;
const QUALITIES = [0.8, 0.6, 0.4, 0.25];
/** Each step has half as many pixels. */
const SCALE_STEP = Math.SQRT1_2;
/** A smaller image would be unreadable. */
const MIN_SCALE = 0.1;

export interface EncodedScreenshot {
  image_data: string;
  width: number;
  height: number;
}

/** Off the main thread where the browser can. */
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

/** Returns a JPEG of at most 500 KB: at a lower quality first, then at a smaller size. Undefined where that fails. */
export async function encodeScreenshot(canvas: HTMLCanvasElement): Promise<EncodedScreenshot | undefined> {
  for (let scale = 1; scale >= MIN_SCALE; scale *= SCALE_STEP) {
    const scaled = scale === 1 ? canvas : shrink(canvas, scale);
    // An image that was too large at the lowest quality is not tried again at the best.
    for (const quality of scale === 1 ? QUALITIES : QUALITIES.slice(1)) {
      const blob = await encode(scaled, quality);
      if (blob?.type !== 'image/jpeg') return undefined;
      if (blob.size <= MAX_BYTES) return { image_data: await blobToDataUrl(blob), width: scaled.width, height: scaled.height };
    }
  }
  return undefined;
}
