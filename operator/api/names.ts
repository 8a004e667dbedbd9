/** Names of the API that programs and people rely on: group, kinds, labels, annotations, finalizers, field managers. */

export const group = 'scanfleet.dev'
export const version = 'v1alpha1'
export const apiVersion = `${group}/${version}`

/** Plural resource name of each kind. */
export const plurals = {
  ScmConnection: 'scmconnections',
  ScmRepository: 'scmrepositories',
  ManagedScan: 'managedscans',
  ScanRun: 'scanruns',
} as const

export type Kind = keyof typeof plurals

export const labels = {
  /** Name of the ScmConnection that an ScmRepository came from. */
  connection: 'scanfleet.dev/connection',
  /** Name of the ManagedScan of a ScanRun. */
  managedScan: 'scanfleet.dev/managed-scan',
  /** Name of the ScmRepository of a ScanRun. */
  repository: 'scanfleet.dev/repository',
  /** UID of the ScanRun that a Job, NetworkPolicy, Secret or pod serves. */
  run: 'scanfleet.dev/run-uid',
  /** `scan` on every object of a scan; the standing default-deny policy selects by it. */
  component: 'app.kubernetes.io/component',
  managedBy: 'app.kubernetes.io/managed-by',
} as const

export const annotations = {
  /** Set by people to any new value: check, discover or scan now. Acknowledged in `status.lastHandledRequest`. */
  requestedAt: 'scanfleet.dev/requestedAt',
  /** `namespace/name` of the ScanRun that a Job and its pod serve; the controller's way back across namespaces. */
  run: 'scanfleet.dev/run',
  /** `namespace/name` of the ManagedScan of a Job, by which its cap is counted. */
  managedScan: 'scanfleet.dev/managed-scan',
  /** JSON facts about the attempt that must survive a restart before the ScanRun's status tells them. */
  attempt: 'scanfleet.dev/attempt',
} as const

export const finalizers = {
  /** On an ScmConnection with deletionPolicy Purge: its repositories are deleted first. */
  purge: 'scanfleet.dev/purge',
} as const

/** Field managers of server-side apply: one for each writer, so that fields can be told apart and removed. */
export const fieldManagers = {
  connection: 'scanfleet-connection',
  managedScan: 'scanfleet-managed-scan',
  scanRun: 'scanfleet-scan-run',
  gateway: 'scanfleet-gateway',
} as const
