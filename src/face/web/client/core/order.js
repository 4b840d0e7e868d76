// The order of keys: their place first, then their names, as the bytes of UTF-8 have it.

/** Compares two names by code points, which is how their bytes compare. */
export function byName(a, b) {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (x !== y) return weight(x) - weight(y);
  }
  return a.length - b.length;
}

/** The halves of characters beyond the first 65,536 come after all others. */
function weight(unit) {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
