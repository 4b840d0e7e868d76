// Large values, which the server names instead of sending them: read in pieces, over the connection that named them.

/** Bytes in a piece, by type: multiples of three, so that base64 can be put together, and within what the server gives. */
const PIECE_BYTES = { image: 3 * 1024 * 1024, file: 3 * 87_381 };

/**
 * The value of a key at a version, by `call`; nothing when it is at another one by now, of which the server tells.
 */
export async function readValue(call, { key, version, type }) {
  const parts = [];
  let offset = 0;
  for (;;) {
    const limit = PIECE_BYTES[type];
    const piece = await call('read_key', { key, offset, ...(limit ? { limit } : {}) });
    if (piece.version !== version) return undefined;
    parts.push(piece.value);
    if (!piece.truncated) return type === 'json' ? JSON.parse(parts.join('')) : parts.join('');
    offset = piece.next_offset;
  }
}
