/**
 * Keeps the Secret with the gateway's certificate. Invariant: what a pod in flight trusts stays trusted, since a new
 * authority is signed by the one before; and two controllers that do this at once end with one certificate.
 */
import type { Logger } from 'pino'
import { labels } from '../api/names.ts'
import type { KubeClient } from '../kube/client.ts'
import { isAlreadyExists, isConflict } from '../kube/errors.ts'
import type { Secret } from '../kube/objects.ts'
import { resources } from '../kube/resources.ts'
import { type CertificateSet, issueAuthority, issueServer } from './certificates.ts'
import { decideRenewal } from './renewal.ts'

export interface GatewayCertificateOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly secretName: string
  /** Names of Services; each becomes its four DNS names in the cluster. */
  readonly serviceNames: readonly string[]
  readonly log: Logger
  readonly now: () => Date
}

export interface GatewayCertificate {
  /** PEM of the authorities that scan pods trust. */
  readonly ca: string
  /** When this wants to be called again. */
  readonly renewAt: Date
}

const secretKeys = { cert: 'tls.crt', key: 'tls.key', ca: 'ca.crt', caKey: 'ca.key' } as const
const attempts = 5

/** Makes or renews the certificate where that is needed. Throws KubeError. */
export async function ensureGatewayCertificate(options: GatewayCertificateOptions): Promise<GatewayCertificate> {
  const { client, namespace, secretName } = options
  for (let attempt = 1; ; attempt += 1) {
    const secret = await client.get(resources.secrets, namespace, secretName)
    try {
      const done = secret ? await renew(options, secret) : await create(options)
      if (done) return done
    } catch (error) {
      // Somebody else was quicker; what they wrote is looked at next.
      if (attempt === attempts || !(isAlreadyExists(error) || isConflict(error))) throw error
    }
  }
}

/** DNS names under which a Service is called in the cluster; localhost for a port that was forwarded. */
export function serviceDnsNames(services: readonly string[], namespace: string): string[] {
  const names = services.flatMap((service) => [
    service,
    `${service}.${namespace}`,
    `${service}.${namespace}.svc`,
    `${service}.${namespace}.svc.cluster.local`,
  ])
  return [...names, 'localhost']
}

async function create(options: GatewayCertificateOptions): Promise<undefined> {
  const { client, namespace, secretName, serviceNames, now, log } = options
  const set = await issueAuthority(serviceDnsNames(serviceNames, namespace), now())
  await client.create(resources.secrets, namespace, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: secretName, namespace, labels: { [labels.managedBy]: 'scanfleet' } },
    type: 'kubernetes.io/tls',
    data: encode(set),
  })
  log.info({ namespace, secret: secretName }, 'certificate of the gateway made')
}

/** Undefined when the Secret was changed and has to be looked at again. */
async function renew(options: GatewayCertificateOptions, secret: Secret): Promise<GatewayCertificate | undefined> {
  const { client, namespace, secretName, serviceNames, log } = options
  const now = options.now()
  const names = serviceDnsNames(serviceNames, namespace)
  const set = decode(secret)
  const renewal = decideRenewal(set, names, now)
  if (renewal.kind === 'Nothing') return { ca: set.ca, renewAt: renewal.until }
  const next = await {
    Server: () => issueServer({ ...set, bridges: renewal.kind === 'Server' ? renewal.bridges : [] }, names, now),
    Authority: () => issueAuthority(names, now, set),
    Everything: () => issueAuthority(names, now),
  }[renewal.kind]()
  const { resourceVersion } = secret.metadata
  const patch = { metadata: { resourceVersion }, data: encode(next) }
  await client.patch(resources.secrets, namespace, secretName, patch, { type: 'merge' })
  log.info({ namespace, secret: secretName, renewed: renewal.kind }, 'certificate of the gateway renewed')
  return undefined
}

function encode(set: CertificateSet): Record<string, string> {
  return Object.fromEntries(
    (Object.keys(secretKeys) as (keyof CertificateSet)[]).map((part) => [
      secretKeys[part],
      Buffer.from(set[part]).toString('base64'),
    ]),
  )
}

function decode({ data = {} }: Secret): CertificateSet {
  const part = (key: string) => Buffer.from(data[key] ?? '', 'base64').toString()
  return {
    cert: part(secretKeys.cert),
    key: part(secretKeys.key),
    ca: part(secretKeys.ca),
    caKey: part(secretKeys.caKey),
  }
}
