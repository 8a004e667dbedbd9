/**
 * One job: the keys and certificates of one cluster, written where its components read them.
 * Invariant: everything is generated here, lives in the cluster's own folder and dies with it.
 */
import { generateKeyPairSync, webcrypto } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
// The certificate library needs this polyfill to be there before it loads.
import 'reflect-metadata'
import * as x509 from '@peculiar/x509'

export interface Pki {
  readonly folder: string
  readonly caFile: string
  readonly caPem: string
  /** Path of a certificate or of its key. */
  certificate(name: string): string
  key(name: string): string
  /** Writes NAME.crt and NAME.key for a server, valid for these host names and addresses. */
  server(name: string, hosts: readonly string[]): Promise<void>
  /** Writes NAME.crt and NAME.key for a client that Kubernetes knows as this user and group. */
  client(name: string, user: string, group?: string): Promise<ClientIdentity>
}

export interface ClientIdentity {
  readonly certificatePem: string
  readonly keyPem: string
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const day = 24 * 60 * 60 * 1000

/** Creates a certificate authority and the key pair that signs service account tokens, in `folder`. */
export async function createPki(folder: string): Promise<Pki> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const caName = 'CN=scanfleet-test-ca'
  const ca = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: caName,
      keys: caKeys,
      ...validity(),
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    },
    webcrypto as webcrypto.Crypto,
  )
  const caPem = ca.toString('pem')
  write(folder, 'ca.crt', caPem)
  write(folder, 'ca.key', await keyPem(caKeys.privateKey))
  writeServiceAccountKeys(folder)

  async function issue(name: string, subject: x509.JsonName, extensions: x509.Extension[]): Promise<ClientIdentity> {
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
    const certificate = await x509.X509CertificateGenerator.create(
      {
        subject,
        issuer: caName,
        publicKey: keys.publicKey,
        signingKey: caKeys.privateKey,
        ...validity(),
        signingAlgorithm: algorithm,
        extensions,
      },
      webcrypto as webcrypto.Crypto,
    )
    const identity = { certificatePem: certificate.toString('pem'), keyPem: await keyPem(keys.privateKey) }
    write(folder, `${name}.crt`, identity.certificatePem)
    write(folder, `${name}.key`, identity.keyPem)
    return identity
  }

  return {
    folder,
    caPem,
    caFile: join(folder, 'ca.crt'),
    certificate: (name) => join(folder, `${name}.crt`),
    key: (name) => join(folder, `${name}.key`),
    async server(name, hosts) {
      const names = hosts.map((host) => ({ type: isIP(host) ? ('ip' as const) : ('dns' as const), value: host }))
      await issue(
        name,
        [{ CN: [name] }],
        [
          new x509.SubjectAlternativeNameExtension(names),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        ],
      )
    },
    client(name, user, group) {
      return issue(
        name,
        [{ CN: [user] }, ...(group === undefined ? [] : [{ O: [group] }])],
        [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
      )
    },
  }
}

/** A day earlier than now, because clocks differ; two years, because a demo cluster may stay. */
function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - day), notAfter: new Date(Date.now() + 730 * day) }
}

/** The controller manager signs tokens with RSA keys in PEM, and the API server verifies them. */
function writeServiceAccountKeys(folder: string): void {
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  write(folder, 'service-account.key', keys.privateKey)
  write(folder, 'service-account.pub', keys.publicKey)
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

function write(folder: string, name: string, content: string): void {
  writeFileSync(join(folder, name), content, { mode: 0o600 })
}
