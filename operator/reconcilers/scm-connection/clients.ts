/**
 * One code-host client for each ScmConnection, made anew when its spec, Secret or certificates change. What the Secret says
 * is read when the connection is reconciled, not for every scan.
 */
import type { Logger } from 'pino'
import type { ScmConnection } from '../../api/kinds.ts'
import type { KubeClient } from '../../kube/client.ts'
import { keyOf } from '../../kube/objects.ts'
import { resources } from '../../kube/resources.ts'
import type { Store } from '../../kube/store.ts'
import { type Credentials, type Scm, ScmError } from '../../scm/types.ts'
import type { Redactor } from '../../telemetry/redact.ts'

export interface Clients {
  /** The client of a connection, by `namespace/name`. Throws ScmError when its Secret or certificates cannot be used. */
  get(key: string): Promise<Scm>
  /** Reads Secret and ConfigMap again. True when the client had to be made anew. */
  refresh(connection: ScmConnection): Promise<boolean>
  /** PEM certificates that the connection trusts, as read last. */
  caOf(key: string): string | undefined
  drop(key: string): Promise<void>
}

export interface ClientsOptions {
  readonly client: KubeClient
  readonly connections: Store<ScmConnection>
  readonly createScm: (connection: ScmConnection, credentials: Credentials, ca: string | undefined) => Scm
  readonly redactor: Redactor
  readonly log: Logger
}

interface Entry {
  readonly scm: Scm
  /** Changes whenever anything changes that the client was made of. */
  readonly version: string
  readonly ca: string | undefined
}

export function createClients(options: ClientsOptions): Clients {
  const { client, connections, createScm, redactor } = options
  const entries = new Map<string, Entry>()

  async function refresh(connection: ScmConnection): Promise<boolean> {
    const key = keyOf(connection)
    const secret = await readCredentials(client, connection)
    const ca = await readCa(client, connection)
    const version = [connection.metadata.uid, connection.metadata.generation, secret.version, ca?.version].join('/')
    const before = entries.get(key)
    if (before?.version === version) return false
    redactor.register(secret.credentials.kind === 'Token' ? secret.credentials.token : secret.credentials.privateKey)
    const scm = createScm(connection, secret.credentials, ca?.pem)
    entries.set(key, { scm, version, ca: ca?.pem })
    await before?.scm.close()
    return true
  }

  return {
    refresh,
    async get(key) {
      const known = entries.get(key)
      if (known) return known.scm
      const connection = connections.get(key)
      if (connection === undefined) throw new Error(`there is no ScmConnection ${key}`)
      await refresh(connection)
      return (entries.get(key) as Entry).scm
    },
    caOf: (key) => entries.get(key)?.ca,
    async drop(key) {
      const entry = entries.get(key)
      entries.delete(key)
      await entry?.scm.close()
    },
  }
}

/** Which Secret and key a connection's credential is read from, for people: `Secret acme-token, key token`. */
export function credentialName({ spec }: ScmConnection): string {
  const ref = spec.credentials.githubApp?.privateKeySecretRef ?? spec.credentials.tokenSecretRef
  return ref === undefined ? 'no Secret' : `Secret ${ref.name}, key ${ref.key}`
}

async function readCredentials(
  client: KubeClient,
  connection: ScmConnection,
): Promise<{ credentials: Credentials; version: string }> {
  const { githubApp, tokenSecretRef } = connection.spec.credentials
  const ref = githubApp?.privateKeySecretRef ?? tokenSecretRef
  if (ref === undefined) throw new ScmError('SecretNotFound', 'The spec names no Secret.')
  const secret = await client.get(resources.secrets, connection.metadata.namespace, ref.name)
  if (secret === undefined) {
    throw new ScmError(
      'SecretNotFound',
      `There is no Secret ${ref.name} in namespace ${connection.metadata.namespace}. Create it with the key ${ref.key}.`,
    )
  }
  const encoded = secret.data?.[ref.key]
  if (encoded === undefined) {
    throw new ScmError(
      'SecretKeyMissing',
      `The Secret ${ref.name} has no key ${ref.key}. Its keys are: ${keysOf(secret.data)}.`,
    )
  }
  // People often paste a token with a line break behind it.
  const value = Buffer.from(encoded, 'base64').toString('utf8').trim()
  if (value === '') throw new ScmError('SecretEmpty', `The key ${ref.key} of Secret ${ref.name} is empty.`)
  const credentials: Credentials = githubApp
    ? { kind: 'GitHubApp', appId: githubApp.appId, privateKey: value }
    : { kind: 'Token', token: value }
  return { credentials, version: `${secret.metadata.uid}:${secret.metadata.resourceVersion}` }
}

async function readCa(
  client: KubeClient,
  connection: ScmConnection,
): Promise<{ pem: string; version: string } | undefined> {
  const ref = connection.spec.tls?.caConfigMapRef
  if (ref === undefined) return undefined
  const configMap = await client.get(resources.configMaps, connection.metadata.namespace, ref.name)
  const pem = configMap?.data?.[ref.key]
  if (configMap === undefined || pem === undefined) {
    const what =
      configMap === undefined ? `There is no ConfigMap ${ref.name}` : `The ConfigMap ${ref.name} has no key ${ref.key}`
    throw new ScmError('CaNotFound', `${what}; tls.caConfigMapRef names it for the certificates to trust.`)
  }
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) {
    throw new ScmError('CaInvalid', `The key ${ref.key} of ConfigMap ${ref.name} holds no certificate in PEM.`)
  }
  return { pem, version: `${configMap.metadata.uid}:${configMap.metadata.resourceVersion}` }
}

function keysOf(data: Readonly<Record<string, string>> | undefined): string {
  const names = Object.keys(data ?? {})
  return names.length === 0 ? 'none' : names.slice(0, 10).join(', ')
}
