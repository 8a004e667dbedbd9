/**
 * Decides what a set of certificates needs. Pure: `Nothing` while both the server certificate and its authority are in
 * the first two thirds of their lives and the names fit.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { CertificateSet } from './certificates.ts'

export type Renewal =
  | { readonly kind: 'Nothing' /** When to ask again. */; readonly until: Date }
  | { readonly kind: 'Server'; readonly bridges: readonly string[] }
  | { readonly kind: 'Authority' }
  /** What is there cannot be read or does not fit together: begin anew. */
  | { readonly kind: 'Everything' }

export function decideRenewal(set: CertificateSet, names: readonly string[], now: Date): Renewal {
  const chain = parsePem(set.cert)
  const authority = parsePem(set.ca)[0]
  const server = chain[0]
  if (!server || !authority || !fitsTogether(set, server, authority)) return { kind: 'Everything' }
  const renewAuthority = twoThirds(authority)
  if (now >= renewAuthority) return { kind: 'Authority' }
  const renewServer = twoThirds(server)
  const covered = names.every((name) => server.checkHost(name) !== undefined)
  if (now >= renewServer || !covered) return { kind: 'Server', bridges: bridgesOf(chain, now) }
  return { kind: 'Nothing', until: renewServer < renewAuthority ? renewServer : renewAuthority }
}

function fitsTogether(set: CertificateSet, server: X509Certificate, authority: X509Certificate): boolean {
  if (!server.verify(authority.publicKey)) return false
  try {
    return server.checkPrivateKey(createPrivateKey(set.key)) && authority.checkPrivateKey(createPrivateKey(set.caKey))
  } catch {
    return false
  }
}

function bridgesOf(chain: readonly X509Certificate[], now: Date): string[] {
  return chain
    .slice(1)
    .filter((certificate) => certificate.validToDate > now)
    .map((certificate) => certificate.toString())
}

function twoThirds({ validFromDate, validToDate }: X509Certificate): Date {
  const begin = validFromDate.getTime()
  return new Date(begin + ((validToDate.getTime() - begin) * 2) / 3)
}

function parsePem(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}
