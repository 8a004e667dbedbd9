/**
 * Makes the gateway's certificates: an authority of its own, a server certificate, and a bridge from an old authority to
 * a new one. Pure but for the randomness of keys; nothing here knows Kubernetes.
 */
import type { webcrypto } from 'node:crypto'
import type { X509Certificate } from '@peculiar/x509'

/** Everything in PEM. */
export interface CertificateSet {
  /** The server certificate, then the bridge when there is one. */
  readonly cert: string
  readonly key: string
  /** All authorities that are to be trusted, the one in use first. */
  readonly ca: string
  readonly caKey: string
}

const day = 24 * 60 * 60 * 1000
/** Authorities outlive any scan by far; server certificates are short, since they renew themselves. */
export const lifetimes = { authority: 730 * day, server: 90 * day } as const
/** Clocks of nodes differ: a certificate is valid from a little before it was made. */
const skewMs = 60 * 60 * 1000

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const

/** The library is loaded when it is used: the processes that only check dates never pay for it. */
async function loadX509() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

/** A new authority and a server certificate under it. Pods that trust `previous` trust the new one through the bridge. */
export async function issueAuthority(
  names: readonly string[],
  now: Date,
  previous?: CertificateSet,
): Promise<CertificateSet> {
  const x509 = await loadX509()
  const keys = await crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
  const serialNumber = newSerial()
  const name = `CN=Scanfleet gateway CA ${serialNumber.slice(0, 16)}`
  const validity = {
    notBefore: new Date(now.getTime() - skewMs),
    notAfter: new Date(now.getTime() + lifetimes.authority),
  }
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber,
    name,
    ...validity,
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const caKey = await exportKey(keys.privateKey)
  const stillTrusted = previous ? (await parseCertificates(previous.ca)).filter(({ notAfter }) => notAfter > now) : []
  const [old] = stillTrusted
  const bridges = previous && old ? [await bridge(authority, old, previous.caKey, validity.notBefore)] : []
  const ca = [authority, ...stillTrusted].map((certificate) => certificate.toString('pem')).join('\n')
  return issueServer({ ca, caKey, bridges: bridges.map((certificate) => certificate.toString('pem')) }, names, now)
}

/** A new server certificate under the authority in use. */
export async function issueServer(
  authority: { readonly ca: string; readonly caKey: string; readonly bridges: readonly string[] },
  names: readonly string[],
  now: Date,
): Promise<CertificateSet> {
  const x509 = await loadX509()
  const [issuer] = await parseCertificates(authority.ca)
  if (!issuer) throw new Error('there is no authority to sign with')
  const keys = await crypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: 'CN=Scanfleet gateway',
    issuer: issuer.subject,
    notBefore: new Date(Math.max(issuer.notBefore.getTime(), now.getTime() - skewMs)),
    notAfter: new Date(Math.min(issuer.notAfter.getTime(), now.getTime() + lifetimes.server)),
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.caKey),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }))),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
    ],
  })
  const cert = [certificate.toString('pem'), ...authority.bridges].join('\n')
  return { cert, key: await exportKey(keys.privateKey), ca: authority.ca, caKey: authority.caKey }
}

/** Throws when the text holds anything that is no certificate. */
export async function parseCertificates(pem: string): Promise<X509Certificate[]> {
  const x509 = await loadX509()
  return x509.PemConverter.decode(pem).map((der) => new x509.X509Certificate(der))
}

/** The new authority's key under the old authority's name, so that chains end at either. */
async function bridge(authority: X509Certificate, old: X509Certificate, oldKey: string, notBefore: Date) {
  const x509 = await loadX509()
  return x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: authority.subject,
    issuer: old.subject,
    notBefore,
    notAfter: old.notAfter,
    publicKey: authority.publicKey,
    signingKey: await importKey(oldKey),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(authority.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(old),
    ],
  })
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const x509 = await loadX509()
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

async function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const x509 = await loadX509()
  const [der] = x509.PemConverter.decode(pem)
  if (!der) throw new Error('the key of the authority is not PEM')
  return crypto.subtle.importKey('pkcs8', der, keyAlgorithm, true, ['sign'])
}

/** Positive and never the same twice. */
function newSerial(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return Buffer.from(bytes).toString('hex')
}
