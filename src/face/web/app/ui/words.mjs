// Numbers, times and names as people read them.

const digits = new Intl.NumberFormat('en');
export const count = number => digits.format(number);
export const some = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

/** `now`, `6 s`, `5 min`, `2 h`, `3 d`. */
export function age(since, now) {
  const seconds = Math.max(0, Math.floor((now - new Date(since).getTime()) / 1000));
  if (seconds < 3) return 'now';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

export const ago = (since, now) => (age(since, now) === 'now' ? 'just now' : `${age(since, now)} ago`);

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(bytes < 10_000 ? 1 : 0)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** Makes visible what would hide or turn a text around: controls, and marks of direction. */
export const visible = text => text.replace(
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  mark => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`,
);

/** The path of a name, and its last part. */
export function parts(name) {
  const at = Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\'));
  return at > 0 && at < name.length - 1 ? [name.slice(0, at + 1), name.slice(at + 1)] : ['', name];
}

export const TYPES = { text: 'Text', json: 'JSON', image: 'Image', file: 'File' };

/** What stands where a value has no words. */
export const summary = row => row.preview || (row.type === 'image' || row.type === 'file'
  ? `${row.content_type || row.type} · ${size(row.size)}` : row.size === 0 ? 'empty' : '');
