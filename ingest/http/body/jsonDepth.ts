const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/**
 * Whether JSON text is nested deeper than `max` levels. It does not parse the text, because a few megabytes of brackets
 * keep the parser and the garbage collector busy for seconds. It takes about a nanosecond per byte. The result is
 * undefined for invalid JSON.
 * @param json in UTF-8, from `start` to before `end`
 */
export function isNestedDeeper(json: Uint8Array, max: number, start = 0, end = json.length): boolean {
  let depth = 0;
  let inString = false;
  for (let i = start; i < end; i++) {
    const c = json[i];
    if (inString) {
      if (c === BACKSLASH) i++;
      else if (c === QUOTE) inString = false;
    } else if (c === QUOTE) inString = true;
    else if (c === OPEN_ARRAY || c === OPEN_OBJECT) {
      if (++depth > max) return true;
    } else if (c === CLOSE_ARRAY || c === CLOSE_OBJECT) depth--;
  }
  return false;
}
