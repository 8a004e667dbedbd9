/** Builders of objects as the caches hold them. `changes` go over the spec, `status` stands as it is given. */
import type {
  Condition,
  ManagedScan,
  Metadata,
  ScanRun,
  ScmConnection,
  ScmRepository,
} from '../../operator/api/kinds.ts'
import { annotations } from '../../operator/api/names.ts'
import type { Job, Pod } from '../../operator/kube/objects.ts'
import type { AttemptFacts } from '../../operator/scan/attempt.ts'

export const aTime = new Date('2026-03-01T12:00:00Z')

/** So many seconds after `aTime`. */
export function later(seconds: number): Date {
  return new Date(aTime.getTime() + seconds * 1000)
}

export function metadata(name: string, changes: Partial<Metadata> = {}): Metadata {
  return {
    name,
    namespace: 'team',
    uid: `uid-${name}`,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: aTime.toISOString(),
    ...changes,
  }
}

export function condition(type: string, status: Condition['status'], reason: string, message = 'As it is.'): Condition {
  return { type, status, reason, message, lastTransitionTime: aTime.toISOString(), observedGeneration: 1 }
}

export const readyConnection: NonNullable<ScmConnection['status']> = {
  observedGeneration: 1,
  conditions: [condition('Ready', 'True', 'Connected')],
}

interface Shape<T extends { readonly spec: unknown; readonly status?: unknown }> {
  readonly spec?: Partial<T['spec']>
  readonly status?: NonNullable<T['status']>
  readonly meta?: Partial<Metadata>
}

function withStatus<T>(status: T | undefined): { status: T } | Record<never, never> {
  return status === undefined ? {} : { status }
}

export function aConnection({ spec, status, meta }: Shape<ScmConnection> = {}): ScmConnection {
  return {
    metadata: metadata('acme', meta),
    spec: {
      provider: 'GitHub',
      owner: { organization: 'acme' },
      credentials: { tokenSecretRef: { name: 'acme-token', key: 'token' } },
      access: 'Read',
      features: ['Discovery'],
      discovery: { interval: '1h', archived: 'Exclude', forks: 'Exclude' },
      clone: { protocol: 'HTTPS' },
      limits: { concurrent: 50 },
      deletionPolicy: 'Retain',
      suspend: false,
      ...spec,
    },
    ...withStatus(status),
  }
}

export function aManagedScan({ spec, status, meta }: Shape<ManagedScan> = {}): ManagedScan {
  return {
    metadata: metadata('all', meta),
    spec: {
      connectionRef: { name: 'acme' },
      repositories: {},
      products: ['Code', 'SupplyChain', 'Secrets'],
      suppressions: 'Ignore',
      semgrep: { mode: 'Native' },
      schedule: { initial: true, full: 'None', timeZone: 'UTC' },
      limits: { concurrent: 10, timeout: '30m', cpu: '2', memory: '2Gi', disk: '4Gi', files: 200_000 },
      pod: { userNamespaces: true },
      history: { completed: 3, failed: 3 },
      suspend: false,
      ...spec,
    } as ManagedScan['spec'],
    ...withStatus(status),
  }
}

export function aRepository(name = 'shop', { spec, status, meta }: Shape<ScmRepository> = {}): ScmRepository {
  return {
    metadata: metadata(`acme-${name}`, meta),
    spec: {
      connectionRef: { name: 'acme' },
      id: name,
      fullName: `acme/${name}`,
      defaultBranch: 'main',
      cloneUrl: `https://github.com/acme/${name}.git`,
      suspend: false,
      ...spec,
    },
    ...withStatus(status),
  } as ScmRepository
}

export function aRun(name = 'now', { spec, status, meta }: Shape<ScanRun> = {}): ScanRun {
  return {
    metadata: metadata(name, meta),
    spec: { managedScanRef: { name: 'all' }, repository: { name: 'acme-shop' }, reason: 'Manual', ...spec },
    ...withStatus(status),
  } as ScanRun
}

export const facts: AttemptFacts = {
  runUid: 'uid-now',
  number: 1,
  repositoryName: 'acme-shop',
  repositoryId: 'shop',
  repository: 'acme/shop',
  branch: 'main',
  commit: '0123456789abcdef0123456789abcdef01234567',
  uploadTokenDigest: 'd'.repeat(64),
  uploadExpirationTime: '2026-03-01T12:35:00.000Z',
  products: ['Code', 'SupplyChain', 'Secrets'],
  image: 'registry.example/scanner@sha256:abc',
  connection: 'team/acme',
  minted: true,
}

interface JobShape {
  readonly suspend?: boolean
  readonly facts?: AttemptFacts
  readonly failed?: { readonly reason: string; readonly message?: string }
  readonly meta?: Partial<Metadata>
}

export function aJob({ suspend = false, facts: given = facts, failed, meta }: JobShape = {}): Job {
  const values = { [annotations.run]: 'team/now', [annotations.managedScan]: 'team/all' }
  return {
    metadata: metadata('scan-1', {
      namespace: 'scans',
      annotations: { ...values, [annotations.attempt]: JSON.stringify(given) },
      ...meta,
    }),
    spec: { suspend },
    ...(failed && { status: { conditions: [{ type: 'Failed', status: 'True', ...failed }] } }),
  }
}

export function aPod(status: Pod['status'] = { phase: 'Running' }, meta: Partial<Metadata> = {}): Pod {
  return { metadata: metadata('pod-1', { namespace: 'scans', ...meta }), spec: {}, ...withStatus(status) }
}

export type Ended = NonNullable<
  NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]['state']
>['terminated']

/** Statuses of the two containers; without an end they run. */
export function containers(ends: { readonly clone?: Ended; readonly scan?: Ended }) {
  return (['clone', 'scan'] as const).map((name) => {
    const terminated = ends[name]
    return { name, state: terminated === undefined ? { running: {} } : { terminated } }
  })
}
