/**
 * Makes text from outside harmless to look at: no control, format or direction character passes, so no log, status or
 * path can be forged by it.
 */
const unsafe = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

/** For sentences: a question mark in place of each such character. */
export function printable(text: string): string {
  return text.replace(unsafe, '?')
}

/** For paths: such characters and backslashes percent-encoded, as a URI would have them. */
export function printablePath(path: string): string {
  return path.replaceAll('\\', '%5C').replace(unsafe, (character) => encodeURIComponent(character))
}
