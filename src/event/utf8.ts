const encoder = new TextEncoder();
/** A place to encode into, so that measuring allocates nothing. */
const scratch = new Uint8Array(8192);
/** So many code units surely fit into the scratch, at up to 3 bytes each. */
const unitsMax = Math.floor(scratch.length / 3);

/** Length of a string in UTF-8. Half of a surrogate pair counts as the replacement character it will become. */
export function utf8Length(text: string): number {
  // Below about 30 characters the call of the encoder costs more than a loop over ASCII.
  if (text.length < 30) {
    let at = 0;
    while (at < text.length && text.charCodeAt(at) < 0x80) at++;
    if (at === text.length) return at;
  }
  if (text.length <= unitsMax) return encoder.encodeInto(text, scratch).written;
  let bytes = 0;
  for (let from = 0; from < text.length;) {
    let to = Math.min(from + unitsMax, text.length);
    // A pair must not be cut in two.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to--;
    bytes += encoder.encodeInto(text.slice(from, to), scratch).written;
    from = to;
  }
  return bytes;
}
