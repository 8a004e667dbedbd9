/**
 * A throw-away certificate authority and one server certificate. With a folder they are written there and used again
 * while the certificate fits, so that whoever trusts the authority keeps trusting it after a restart.
 */
import { webcrypto, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
// The certificate library needs this polyfill to be there before it loads.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

export interface TlsIdentity {
  readonly caPem: string
  readonly certificatePem: string
  readonly keyPem: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const dayMs = 24 * 3_600_000

/** A certificate for all of these host names and addresses. */
export async function tlsIdentity(hosts: readonly string[], folder?: string): Promise<TlsIdentity> {
  const known = folder ? readIdentity(folder) : undefined
  if (known && fits(known, hosts)) return known
  const identity = await makeIdentity(hosts)
  if (folder) writeIdentity(folder, identity)
  return identity
}

async function makeIdentity(hosts: readonly string[]): Promise<TlsIdentity> {
  const validity = { notBefore: new Date(Date.now() - dayMs), notAfter: new Date(Date.now() + 90 * dayMs) }
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = 'CN=Throw-away authority of a demo code host'
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: issuer,
    keys: caKeys,
    ...validity,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    subject: 'CN=Demo code host',
    issuer,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    ...validity,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension(hosts.map((value) => ({ type: isIP(value) ? 'ip' : 'dns', value }))),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  return {
    caPem: `${ca.toString('pem')}\n`,
    certificatePem: `${certificate.toString('pem')}\n`,
    keyPem: `-----BEGIN PRIVATE KEY-----\n${key.replace(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`,
  }
}

const files = { caPem: 'ca.crt', certificatePem: 'tls.crt', keyPem: 'tls.key' } as const

function readIdentity(folder: string): TlsIdentity | undefined {
  if (!Object.values(files).every((file) => existsSync(join(folder, file)))) return undefined
  const read = (file: string) => readFileSync(join(folder, file), 'utf8')
  return { caPem: read(files.caPem), certificatePem: read(files.certificatePem), keyPem: read(files.keyPem) }
}

function writeIdentity(folder: string, identity: TlsIdentity): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const [part, file] of Object.entries(files))
    writeFileSync(join(folder, file), identity[part as keyof TlsIdentity], { mode: 0o600 })
}

function fits(identity: TlsIdentity, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(identity.certificatePem)
  if (certificate.validToDate.getTime() < Date.now() + dayMs) return false
  return hosts.every((host) => (isIP(host) ? certificate.checkIP(host) : certificate.checkHost(host)) !== undefined)
}
