/** Turns what a socket or TLS throws into an ScmError. No message repeats anything that the host sent. */
import { ScmError } from '../types.ts'

const untrusted = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'comes from an authority that is not known'],
  ['UNABLE_TO_GET_ISSUER_CERT', 'comes from an authority that is not known'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'comes from an authority that is not known'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'comes from an authority that is not known'],
  ['CERT_UNTRUSTED', 'comes from an authority that is not known'],
  ['CERT_SIGNATURE_FAILURE', 'has a wrong signature'],
  ['CERT_HAS_EXPIRED', 'has expired'],
  ['CERT_NOT_YET_VALID', 'is not valid yet'],
  ['CERT_REVOKED', 'was revoked'],
  ['INVALID_CA', 'comes from something that is no authority'],
  ['INVALID_PURPOSE', 'was not made for servers'],
  ['HOSTNAME_MISMATCH', 'is for another name'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'is for another name'],
])

const seen = new Map([
  ['ECONNREFUSED', 'refuses the connection'],
  ['ECONNRESET', 'cuts the connection'],
  ['EPIPE', 'cuts the connection'],
  ['UND_ERR_SOCKET', 'cuts the connection'],
  ['EHOSTUNREACH', 'cannot be reached'],
  ['ENETUNREACH', 'cannot be reached'],
  ['ETIMEDOUT', 'does not answer'],
  ['UND_ERR_CONNECT_TIMEOUT', 'does not answer'],
  ['UND_ERR_HEADERS_TIMEOUT', 'accepts the connection but does not answer'],
  ['UND_ERR_BODY_TIMEOUT', 'stops in the middle of its answer'],
  ['UND_ERR_HEADERS_OVERFLOW', 'sends headers that are too large'],
])

/** What to tell people about a failed call to `host`. An ScmError passes as it is; the caller's own abort is rethrown. */
export function networkFailure(error: unknown, host: string, signal: AbortSignal): unknown {
  const understood = findScmError(error)
  if (understood) return understood
  if (signal.aborted) return signal.reason
  const code = codeOf(error)
  const certificate = untrusted.get(code)
  if (certificate)
    return new ScmError(
      'TlsNotTrusted',
      `The certificate of ${host} ${certificate}. If it is your own authority's, name that in tls.caConfigMapRef.`,
      { cause: error },
    )
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO')
    return new ScmError('HostUnreachable', `${host} does not speak TLS there. Check the address and its port.`, {
      cause: error,
    })
  const what = seen.get(code) ?? 'does not answer in time'
  return new ScmError('HostUnreachable', `${host} ${what}. It is tried again.`, { cause: error })
}

/** The lookup hook's own error arrives wrapped, for example in the AggregateError of several attempts to connect. */
function findScmError(error: unknown): ScmError | undefined {
  if (error instanceof ScmError) return error
  if (error instanceof AggregateError) return error.errors.find((inner) => inner instanceof ScmError)
  return error instanceof Error && error.cause instanceof ScmError ? error.cause : undefined
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  if (!(error instanceof Error)) return ''
  return 'code' in error && typeof error.code === 'string' ? error.code : codeOf(error.cause)
}
