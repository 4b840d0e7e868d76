// The rows that are known, by their rank: runs of neighbours with gaps between them, a dozen pages in all.

const KEPT = 1200;

/** Byte order of UTF-8, which is the order of code points and not that of JavaScript's strings. */
export function before(a, b) {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at);
    const y = b.charCodeAt(at);
    if (x !== y) {
      const isPair = code => code >= 0xd800 && code <= 0xdfff;
      return isPair(x) === isPair(y) ? x < y : isPair(y);
    }
  }
  return a.length < b.length;
}

export class Window {
  total = 0;
  runs = [];

  clear() {
    this.runs = [];
  }

  row(rank) {
    const run = this.runs.find(each => rank >= each.start && rank < each.start + each.rows.length);
    return run?.rows[rank - run.start];
  }

  /** The rank of a key that is known. */
  rankOf(key) {
    for (const run of this.runs) {
      const at = run.rows.findIndex(row => row.key === key);
      if (at >= 0) return run.start + at;
    }
    return -1;
  }

  /** The first rank from `first` to `last` that is not known. */
  gap(first, last) {
    for (let rank = Math.max(0, first); rank <= Math.min(last, this.total - 1); rank++) if (!this.row(rank)) return rank;
    return -1;
  }

  /** Puts a page where it belongs, over what was there. What is farthest from it is forgotten. */
  put(start, rows) {
    const end = start + rows.length;
    const kept = [];
    for (const run of this.runs) {
      const runEnd = run.start + run.rows.length;
      if (run.start < start) kept.push({ start: run.start, rows: run.rows.slice(0, start - run.start) });
      if (runEnd > end) {
        const from = Math.max(run.start, end);
        kept.push({ start: from, rows: run.rows.slice(from - run.start) });
      }
    }
    // A key stands once: where it was before it moved is not known any more.
    const keys = new Set(rows.map(row => row.key));
    const clean = kept.flatMap(run => split(run, row => keys.has(row.key)));
    this.runs = join([...clean, ...(rows.length ? [{ start, rows }] : [])]);
    this.#forget(start);
  }

  #forget(near) {
    const distance = run => Math.min(Math.abs(run.start - near), Math.abs(run.start + run.rows.length - near));
    let count = this.runs.reduce((sum, run) => sum + run.rows.length, 0);
    while (count > KEPT && this.runs.length > 1) {
      const far = this.runs.reduce((a, b) => (distance(a) > distance(b) ? a : b));
      this.runs = this.runs.filter(run => run !== far);
      count -= far.rows.length;
    }
    const [only] = this.runs;
    if (this.runs.length === 1 && count > KEPT) {
      const from = Math.max(0, Math.min(near - only.start - KEPT / 2, only.rows.length - KEPT));
      this.runs = [{ start: only.start + from, rows: only.rows.slice(from, from + KEPT) }];
    }
  }

  /** Makes a row known that is there under another state. */
  replace(row) {
    for (const run of this.runs) {
      const at = run.rows.findIndex(each => each.key === row.key);
      if (at >= 0) {
        run.rows = run.rows.with ? run.rows.with(at, row) : Object.assign([...run.rows], { [at]: row });
        return true;
      }
    }
    return false;
  }

  /** A key came, in order of names: what is behind it moves on. Answers its rank, -1 where that is not known. */
  insert(row) {
    let rank = -1;
    this.total += 1;
    const runs = [];
    for (const run of this.runs) {
      const first = run.rows[0].key;
      const last = run.rows.at(-1).key;
      const next = this.runs.find(each => each.start === run.start + run.rows.length);
      const isLast = run.start + run.rows.length === this.total - 1;
      if (before(row.key, first)) {
        if (run.start === 0) {
          rank = 0;
          runs.push({ start: 0, rows: [row, ...run.rows] });
        } else runs.push({ ...run, start: run.start + 1 });
      } else if (before(row.key, last) || isLast || (next && before(row.key, next.rows[0].key))) {
        let at = run.rows.findIndex(each => before(row.key, each.key));
        if (at < 0) at = run.rows.length;
        rank = run.start + at;
        runs.push({ start: run.start, rows: [...run.rows.slice(0, at), row, ...run.rows.slice(at)] });
      } else runs.push(run);
    }
    this.runs = join(runs);
    return rank;
  }

  /** A key went, in order of names. Answers the rank that it had, -1 where that is not known. */
  remove(key) {
    let rank = -1;
    this.total = Math.max(0, this.total - 1);
    const runs = [];
    for (const run of this.runs) {
      const at = run.rows.findIndex(row => row.key === key);
      if (at >= 0) {
        rank = run.start + at;
        runs.push({ start: run.start, rows: [...run.rows.slice(0, at), ...run.rows.slice(at + 1)] });
      } else if (before(key, run.rows[0].key)) runs.push({ ...run, start: Math.max(0, run.start - 1) });
      else runs.push(run);
    }
    this.runs = join(runs);
    return rank;
  }
}

function split(run, isGone) {
  const runs = [];
  let current = null;
  run.rows.forEach((row, at) => {
    if (isGone(row)) current = null;
    else if (current) current.rows.push(row);
    else runs.push((current = { start: run.start + at, rows: [row] }));
  });
  return runs;
}

/** Runs in order, neighbours as one. */
function join(runs) {
  const sorted = runs.filter(run => run.rows.length).sort((a, b) => a.start - b.start);
  const joined = [];
  for (const run of sorted) {
    const last = joined.at(-1);
    if (last && last.start + last.rows.length === run.start) last.rows = [...last.rows, ...run.rows];
    else joined.push({ ...run });
  }
  return joined;
}
