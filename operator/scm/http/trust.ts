/** Which certificates a code host may show: the public authorities, and those that the connection adds to them. */
import { X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import { ScmError } from '../types.ts'

/** Undefined keeps Node's shared context of public authorities. Throws ScmError `CaInvalid` for text without certificates. */
export function trustContext(ca: string | undefined): SecureContext | undefined {
  if (ca === undefined) return undefined
  return createSecureContext({ ca: [...getCACertificates('default'), ...certificatesIn(ca)] })
}

function certificatesIn(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw caInvalid('holds no certificate')
  for (const block of blocks) {
    try {
      new X509Certificate(block)
    } catch (cause) {
      throw caInvalid('holds a certificate that cannot be read', cause)
    }
  }
  return blocks
}

function caInvalid(what: string, cause?: unknown): ScmError {
  return new ScmError(
    'CaInvalid',
    `What tls.caConfigMapRef names ${what}. Write the authority's certificate in PEM there.`,
    { cause },
  )
}
