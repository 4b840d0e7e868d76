// What differs between two texts, word by word, or by lines where they are long.

const MOST = 1500;

const words = text => text.split(/(\s+)/).filter(Boolean);
const lines = text => text.split(/(?<=\n)/);

/** Pieces of `a` and of `b` as `{text, same}`; the beginning and the end that they share are not compared. */
export function compare(a, b) {
  let left = words(a);
  let right = words(b);
  if (left.length > MOST || right.length > MOST) [left, right] = [lines(a), lines(b)];
  let from = 0;
  while (from < left.length && from < right.length && left[from] === right[from]) from++;
  let back = 0;
  while (back < left.length - from && back < right.length - from && left.at(-1 - back) === right.at(-1 - back)) back++;
  const [x, y] = [left.slice(from, left.length - back), right.slice(from, right.length - back)];
  const shared = x.length <= MOST && y.length <= MOST ? common(x, y) : { x: new Set(), y: new Set() };
  const side = (all, kept) => join(all.map((text, at) => {
    const inside = at >= from && at < all.length - back;
    return { text, same: !inside || kept.has(at - from) };
  }));
  return { left: side(left, shared.x), right: side(right, shared.y) };
}

/** Places of a longest common subsequence. */
function common(x, y) {
  const width = y.length + 1;
  const table = new Uint16Array((x.length + 1) * width);
  for (let i = x.length - 1; i >= 0; i--) {
    for (let j = y.length - 1; j >= 0; j--) {
      table[i * width + j] = x[i] === y[j] ? table[(i + 1) * width + j + 1] + 1
        : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
  }
  const [inX, inY] = [new Set(), new Set()];
  for (let i = 0, j = 0; i < x.length && j < y.length;) {
    if (x[i] === y[j]) {
      inX.add(i++);
      inY.add(j++);
    } else if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++;
    else j++;
  }
  return { x: inX, y: inY };
}

function join(pieces) {
  const joined = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (last && last.same === piece.same) last.text += piece.text;
    else joined.push({ ...piece });
  }
  return joined;
}

/** `+2 −1 lines` from one text to another; nothing where they are not both known. */
export function lineCounts(before, after) {
  if (before === undefined || after === undefined) return null;
  const [x, y] = [before.split('\n'), after.split('\n')];
  if (x.length > MOST || y.length > MOST) return null;
  const shared = common(x, y).x.size;
  return { added: y.length - shared, removed: x.length - shared };
}
