// Images and files: base64, with a content type that fits.

const DATA_URL = /^data:([^;,]*)(?:;[^,;]*)*;base64,/;

/** Refuses a content type that the type of the key does not have. */
export function checkContentType(type, contentType) {
  const fits = type === 'image' ? contentType?.startsWith('image/') : Boolean(contentType);
  if (!fits) throw new Error(`Invalid content type ${contentType} for type ${type}`);
}

export const isBinary = type => type === 'image' || type === 'file';

/** The base64 of a value, which may be a data URL. */
export const base64Of = value => String(value).replace(DATA_URL, '');

/** The value as a data URL; as it is when it is one. */
export const dataUrl = (value, contentType) => (DATA_URL.test(value) ? value : `data:${contentType};base64,${value}`);
