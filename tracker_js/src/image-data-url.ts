import { blobToDataUrl } from './data-url';

const QUALITY = 0.8;
/** Width of an image that is not laid out yet. */
const DEFAULT_WIDTH = 400;

/** True where the page may probably read the image's pixels: a URL may redirect to another site. */
export const isReadable = (image: HTMLImageElement, url: URL): boolean =>
  url.protocol === 'blob:' || url.origin === location.origin || image.crossOrigin !== null;

/**
 * Returns an image of the page as a data URL, drawn at its displayed size and encoded off the main thread. It makes no
 * request, so no content security policy applies. Rejects for an image that the page may not read.
 */
export async function imageToDataUrl(image: HTMLImageElement): Promise<string> {
  const { naturalWidth: width, naturalHeight: height } = image;
  const box = image.getBoundingClientRect();
  const scale = Math.min(1, box.width > 0 ? Math.max(box.width / width, box.height / height) : DEFAULT_WIDTH / width);
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, 'image/webp', QUALITY);
  });
  return blob ? blobToDataUrl(blob) : '';
}
