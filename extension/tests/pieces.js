// @ts-check
/** Texts that are hard to read, put together at random. The Python side is given the same. */

export const PIECES = [
  "http://", "https://", "HTTP:", "http:/", "http:\\\\", "ftp://", "ws://", "ssh://", "//", "hxxp://", "hxxps://", "http[:]//",
  "evil.com", "trusted.com", "https://trusted.com", "https://trusted.com/", "trusted.com/", "evil.com/", "evil", "evil.md", "evil.My", "co.uk",
  "www.", "www", "com", "me", "sh", "install.sh", ".zip", "xn--", "1.2.3.4", "[::1]", "0x7f.1", "user@", "mailto:", "javascript:", "evil[.]com", "[.]",
  ".", "..", ":", "@", "/", "\\", "?", "#", ":80", "8080", "%2e", "%40", "_", "__", "-", "--", "*", "~", "^", "!", "+", "=", "&", "$",
  " ", "\n", "\t", ",", ";", "(", ")", "[", "]", "{", "}", "<", ">", "|", "'", "\"", "\u2019", "\u2026", "\u201c", "\u201d", "\u2013", "\u2014",
  "\u200b", "\u00ad", "\u2060", "\ufeff", "\u202e", "\u3002", "\uff0e", "\u2024", "\uff0c", "\u060c", "\u2192", "\u00e9", "\u0430", "\u67fb", "\ufb01", "\uff25", "\u212a", "\u017f", "\u00ae",
  "\u{1f600}", "It", "I'm", "a", "1",
];

/**
 * @param {ReturnType<import("./seeded.js").seeded>} random
 */
export function pieces(random) {
  let text = "";
  for (let count = 1 + random.below(8); count > 0; count--) text += random.one(PIECES);
  return text;
}
