/**
 * Living secrets, so that no output can carry them. Invariant: text that passes `redact` holds no registered value, not
 * raw and not in the encodings in which values usually travel (base64 at any offset, URL, JSON, hex).
 */
export interface Redactor {
  /** Remembers a value until the returned function is called; registering it twice needs releasing it twice. */
  register(secret: string): () => void
  redact(text: string): string
}

const replacement = '[redacted]'
/** Shorter values would blacken ordinary words. */
const shortest = 6
/** Lines of a PEM file are secrets too, the frame around them is not. */
const shortestLine = 32

export function createRedactor(): Redactor {
  const counts = new Map<string, number>()
  let pattern: RegExp | undefined

  function compile(): RegExp | undefined {
    if (counts.size === 0) return undefined
    const forms = new Set<string>()
    for (const secret of counts.keys()) for (const form of formsOf(secret)) forms.add(form)
    // Longest first, so that a value that contains another one goes as a whole.
    const sorted = [...forms].sort((a, b) => b.length - a.length)
    return new RegExp(sorted.map(escapeForPattern).join('|'), 'g')
  }

  return {
    register(secret) {
      const value = secret.trim()
      if (value.length < shortest) return () => undefined
      const count = counts.get(value) ?? 0
      counts.set(value, count + 1)
      if (count === 0) pattern = undefined
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (counts.get(value) ?? 1) - 1
        if (left > 0) counts.set(value, left)
        else counts.delete(value)
        pattern = undefined
      }
    },
    redact(text) {
      pattern ??= compile()
      return pattern === undefined ? text : text.replace(pattern, replacement)
    },
  }
}

/** The value in every form that is looked for. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret, 'utf8')
  const lines = secret.split(/\r?\n/).filter((line) => line.length >= shortestLine && !line.startsWith('-----'))
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ '': secret }).toString().slice(1),
    bytes.toString('hex'),
    ...lines,
    ...base64Forms(bytes),
  ]
  return forms.filter((form) => form.length >= shortest)
}

/**
 * Base64 of the value inside longer bytes, such as `user:value` of basic authentication: it looks different at each of
 * three offsets, and the characters at both ends depend on the neighbours, so only the middle is looked for.
 */
function base64Forms(bytes: Buffer): string[] {
  const forms = [bytes.toString('base64'), bytes.toString('base64url')]
  for (const offset of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const from = Math.ceil((offset * 8) / 6)
    const to = Math.floor(((offset + bytes.length) * 8) / 6)
    const middle = text.slice(from, to)
    forms.push(middle, middle.replaceAll('+', '-').replaceAll('/', '_'))
  }
  return forms
}

function escapeForPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&')
}
