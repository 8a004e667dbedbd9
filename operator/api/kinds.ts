/** The kinds of the API as objects. Their fields are generated from `crds/`; this adds only the common envelope. */
import type { ManagedScanFields } from './generated/managedscans.ts'
import type { ScanRunFields } from './generated/scanruns.ts'
import type { ScmConnectionFields } from './generated/scmconnections.ts'
import type { ScmRepositoryFields } from './generated/scmrepositories.ts'

/** The part of Kubernetes object metadata that the operator keeps in its caches. Times are RFC 3339 strings. */
export interface Metadata {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly resourceVersion: string
  readonly generation?: number
  readonly creationTimestamp: string
  readonly deletionTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: readonly OwnerReference[]
}

export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  readonly controller?: boolean
  readonly blockOwnerDeletion?: boolean
}

/** What every cached object has. */
export interface KubeObject {
  readonly metadata: Metadata
}

export interface ScmConnection extends KubeObject, Readonly<ScmConnectionFields> {}
export interface ScmRepository extends KubeObject, Readonly<ScmRepositoryFields> {}
export interface ManagedScan extends KubeObject, Readonly<ManagedScanFields> {}
export interface ScanRun extends KubeObject, Readonly<ScanRunFields> {}

export type Condition = NonNullable<NonNullable<ScanRunFields['status']>['conditions']>[number]
export type Provider = ScmConnection['spec']['provider']
export type FindingCounts = NonNullable<NonNullable<NonNullable<ScanRunFields['status']>['result']>['findings']>
export type Policy = NonNullable<ManagedScan['spec']['policy']>
