/**
 * The code hosts that the contract suite runs against: each a running server and the ways to make our client for it. A
 * new provider adds its rows here and inherits every behaviour of the suite.
 */
import type { ScmConnection } from '../../operator/api/kinds.ts'
import type { ScmDeps } from '../../operator/scm/factory.ts'
import { createScm } from '../../operator/scm/registry.ts'
import type { Credentials, Scm } from '../../operator/scm/types.ts'
import { type GitHubServer, startGitHubServer } from '../scm-servers/github/index.ts'

export interface Host {
  readonly server: GitHubServer
  /** The client as the operator makes it. Later fields win over the usual ones. */
  scm(overrides?: ScmOverrides): Scm
  /** Every secret that the client was given or has minted so far. */
  secrets(): readonly string[]
  stop(): Promise<void>
}

export interface ScmOverrides {
  readonly spec?: Partial<ScmConnection['spec']>
  readonly credentials?: Credentials
  readonly ca?: string | undefined
  readonly deps?: Partial<ScmDeps>
}

export interface HostKind {
  readonly name: string
  /** Whether clone credentials are minted for one repository each. */
  readonly mints: boolean
  start(): Promise<Host>
}

const loopback = ['127.0.0.0/8', '::1/128']
/** Waits that would only slow the tests down. */
export const quick = { retryBaseMs: 1, freshTokenDelaysMs: [1, 1, 1] } as const

export const hostKinds: readonly HostKind[] = [
  { name: 'GitHub Enterprise Server with a classic token', mints: false, start: () => startGitHub('Token', '/api/v3') },
  { name: 'GitHub Enterprise Server with a GitHub App', mints: true, start: () => startGitHub('App', '/api/v3') },
  { name: 'GitHub.com with a fine-grained token', mints: false, start: () => startGitHub('FineGrainedToken', '/') },
  { name: 'GitHub.com with a GitHub App', mints: true, start: () => startGitHub('App', '/') },
]

async function startGitHub(credential: 'Token' | 'FineGrainedToken' | 'App', mount: '/' | '/api/v3'): Promise<Host> {
  const server = await startGitHubServer({ samples: false, checkContract: true })
  const token =
    credential === 'App' ? '' : server.issueToken({ kind: credential === 'Token' ? 'Classic' : 'FineGrained' })
  const credentials: Credentials =
    credential === 'App'
      ? { kind: 'GitHubApp', appId: server.app.id, privateKey: server.app.privateKey }
      : { kind: 'Token', token }
  const made: Scm[] = []
  return {
    server,
    scm(overrides = {}) {
      const scm = createScm(
        {
          spec: { ...gitHubSpec(server, mount), ...overrides.spec },
          credentials: overrides.credentials ?? credentials,
          ...('ca' in overrides ? (overrides.ca === undefined ? {} : { ca: overrides.ca }) : { ca: server.caPem }),
        },
        {
          connection: 'team/acme',
          allowedPrivateNetworks: loopback,
          log: { warn: () => undefined },
          timing: quick,
          ...(mount === '/' ? { publicApiUrl: server.url } : {}),
          ...overrides.deps,
        },
      )
      made.push(scm)
      return scm
    },
    secrets: () =>
      [...server.state.tokens.keys(), server.app.privateKey.split('\n')[1] ?? ''].filter((one) => one !== ''),
    async stop() {
      for (const scm of made) await scm.close()
      await server.stop()
    },
  }
}

function gitHubSpec(server: GitHubServer, mount: '/' | '/api/v3'): ScmConnection['spec'] {
  return {
    provider: mount === '/' ? 'GitHub' : 'GitHubEnterpriseServer',
    ...(mount === '/' ? {} : { url: server.url }),
    owner: { organization: server.organization },
    credentials: { tokenSecretRef: { name: 'acme', key: 'token' } },
    access: 'Read',
    features: ['Discovery'],
    discovery: { interval: '1h', archived: 'Exclude', forks: 'Exclude' },
    clone: { protocol: 'HTTPS' },
    limits: { concurrent: 50 },
    deletionPolicy: 'Retain',
    suspend: false,
  }
}
