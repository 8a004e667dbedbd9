/**
 * Removes the credential from text by its value, in every form in which a tool may print it.
 * Invariant: no returned text contains the token raw, URL-encoded, or in base64 with or without its user name.
 */

const mask = '[redacted]'

/** A function that masks `token`; `username` is needed for the form that HTTP Basic uses. */
export function createRedactor(username: string, token: string): (text: string) => string {
  if (token === '') return (text) => text
  const forms = new Set([token, encodeURIComponent(token)])
  for (const value of [`${username}:${token}`, `:${token}`, token]) {
    forms.add(Buffer.from(value).toString('base64'))
    forms.add(Buffer.from(value).toString('base64url'))
  }
  // Longest first, so that no shorter form leaves the rest of a longer one behind.
  const ordered = [...forms].sort((a, b) => b.length - a.length)
  return (text) => ordered.reduce((clean, form) => clean.replaceAll(form, mask), text)
}
