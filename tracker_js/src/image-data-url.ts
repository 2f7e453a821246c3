import { blobToDataUrl } from './data-url';

const QUALITY = 0.8;
/** Of an image that has no place in the page yet. */
const UNSEEN_PIXELS = 400;

/** True where a page may look at the pixels. Not sure: the address may lead on to another site. */
export const isReadable = (image: HTMLImageElement, url: URL): boolean =>
  url.protocol === 'blob:' || url.origin === location.origin || image.crossOrigin !== null;

/**
 * An image of the page as a data URL, drawn as large as it is shown and encoded off this thread: no request, so that
 * no policy of the page is in the way. Rejects for one that the page may not read.
 */
export async function imageToDataUrl(image: HTMLImageElement): Promise<string> {
  const { naturalWidth: width, naturalHeight: height } = image;
  const visibleValue = image.getBoundingClientRect();
  const scale = Math.min(1, visibleValue.width > 0 ? Math.max(visibleValue.width / width, visibleValue.height / height) : UNSEEN_PIXELS / width);
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => {
    canvas.toBlob(resolve, 'image/webp', QUALITY);
  });
  return blob ? blobToDataUrl(blob) : '';
}
