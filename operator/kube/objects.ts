/**
 * Kubernetes' own kinds, reduced to the fields that the operator reads. Times are the strings that travel on the wire.
 * Invariant: what is not named here is not kept in a cache and not relied upon.
 */
import type { KubeObject, Metadata } from '../api/kinds.ts'

export interface KubeCondition {
  readonly type: string
  readonly status: string
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}

export interface Job extends KubeObject {
  readonly spec: {
    readonly suspend?: boolean
    readonly activeDeadlineSeconds?: number
    readonly backoffLimit?: number
  }
  readonly status?: {
    readonly active?: number
    readonly succeeded?: number
    readonly failed?: number
    readonly startTime?: string
    readonly completionTime?: string
    readonly conditions?: readonly KubeCondition[]
  }
}

export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string }
  readonly running?: { readonly startedAt?: string }
  readonly terminated?: {
    readonly exitCode: number
    readonly signal?: number
    readonly reason?: string
    readonly message?: string
    readonly startedAt?: string
    readonly finishedAt?: string
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly restartCount?: number
  readonly image?: string
  readonly imageID?: string
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

export interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string; readonly hostUsers?: boolean }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly podIP?: string
    readonly hostIP?: string
    readonly startTime?: string
    readonly conditions?: readonly KubeCondition[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

/** Values of `data` are base64. Secrets are read one by one and never cached. */
export interface Secret extends KubeObject {
  readonly type?: string
  readonly data?: Readonly<Record<string, string>>
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
  readonly binaryData?: Readonly<Record<string, string>>
}

export interface Namespace extends KubeObject {
  readonly status?: { readonly phase?: string }
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly clusterIP?: string
    readonly clusterIPs?: readonly string[]
    readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: number | string }[]
  }
}

export interface EndpointSlice extends KubeObject {
  readonly addressType: string
  readonly endpoints?: readonly {
    readonly addresses: readonly string[]
    readonly conditions?: { readonly ready?: boolean }
  }[]
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[]
}

export interface NetworkPolicy extends KubeObject {
  readonly spec?: { readonly policyTypes?: readonly string[] }
}

/** The times are MicroTime: RFC 3339 with exactly six digits after the second. */
export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export interface ObjectReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace: string
  readonly uid: string
}

export interface KubeEvent extends KubeObject {
  readonly involvedObject: ObjectReference
  readonly type?: string
  readonly reason?: string
  readonly message?: string
  readonly count?: number
  readonly firstTimestamp?: string
  readonly lastTimestamp?: string
}

/** Reviews are answered and never stored, so they carry no metadata of their own. */
export interface TokenReview {
  readonly status?: {
    readonly authenticated?: boolean
    readonly audiences?: readonly string[]
    readonly error?: string
    readonly user?: {
      readonly username?: string
      readonly uid?: string
      readonly groups?: readonly string[]
      readonly extra?: Readonly<Record<string, readonly string[]>>
    }
  }
}

export interface SubjectAccessReview {
  readonly status?: { readonly allowed: boolean; readonly denied?: boolean; readonly reason?: string }
}

/**
 * Metadata as the caches keep it: what controllers need, without managedFields and without the copy of the whole object
 * that kubectl leaves in an annotation.
 */
export function projectMetadata(metadata: Metadata): Metadata {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, deletionTimestamp } = metadata
  const { labels, finalizers, ownerReferences } = metadata
  const annotations = withoutLastApplied(metadata.annotations)
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(generation !== undefined && { generation }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(labels !== undefined && { labels }),
    ...(annotations !== undefined && { annotations }),
    ...(finalizers !== undefined && { finalizers }),
    ...(ownerReferences !== undefined && { ownerReferences }),
  }
}

function withoutLastApplied(annotations: Metadata['annotations']): Metadata['annotations'] {
  if (annotations === undefined) return undefined
  const { 'kubectl.kubernetes.io/last-applied-configuration': _, ...kept } = annotations
  return Object.keys(kept).length === 0 ? undefined : kept
}

/** `namespace/name`, the form of every key of a store or a queue. */
export function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace}/${object.metadata.name}`
}

/** The parts of a key that `keyOf` made. */
export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf('/')
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
