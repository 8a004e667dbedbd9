/**
 * The signature by which a GitHub App says who it is. Issued a minute in the past and valid for nine, as GitHub's clock
 * may differ from ours. Each connection signs with its own key: nothing is shared between connections.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { ScmError } from '../types.ts'

/** Reads a PEM key, also one whose line ends were written as \n. Throws ScmError `PrivateKeyInvalid`. */
export function readPrivateKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem.trim().replaceAll('\\n', '\n'))
    if (key.asymmetricKeyType === 'rsa') return key
  } catch (cause) {
    throw keyInvalid(cause)
  }
  throw keyInvalid()
}

/** A signed token that names the App. `now` is the host's time as far as it is known. */
export function signAppToken(appId: number, key: KeyObject, now: Date): string {
  const seconds = Math.floor(now.getTime() / 1000)
  const content = [
    { alg: 'RS256', typ: 'JWT' },
    { iat: seconds - 60, exp: seconds + 480, iss: String(appId) },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${content}.${sign('RSA-SHA256', Buffer.from(content), key).toString('base64url')}`
}

function keyInvalid(cause?: unknown): ScmError {
  return new ScmError(
    'PrivateKeyInvalid',
    "The private key is no RSA key in PEM. Write the file that GitHub gave for the App's private key into the Secret, unchanged.",
    { cause },
  )
}
