/** Where each kind that the operator uses lives in the API. One entry for each; its type travels along. */
import type { ManagedScan, ScanRun, ScmConnection, ScmRepository } from '../api/kinds.ts'
import { group, plurals, version } from '../api/names.ts'
import type {
  ConfigMap,
  EndpointSlice,
  Job,
  KubeEvent,
  Lease,
  Namespace,
  NetworkPolicy,
  Pod,
  Secret,
  Service,
  SubjectAccessReview,
  TokenReview,
} from './objects.ts'

export interface Resource<T> {
  /** API group; empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly kind: string
  /** Never set: it ties the TypeScript type of the objects to the resource. */
  readonly object?: T
}

export const resources = {
  scmConnections: own<ScmConnection>('ScmConnection'),
  scmRepositories: own<ScmRepository>('ScmRepository'),
  managedScans: own<ManagedScan>('ManagedScan'),
  scanRuns: own<ScanRun>('ScanRun'),
  jobs: resource<Job>('batch', 'v1', 'jobs', 'Job'),
  pods: resource<Pod>('', 'v1', 'pods', 'Pod'),
  secrets: resource<Secret>('', 'v1', 'secrets', 'Secret'),
  configMaps: resource<ConfigMap>('', 'v1', 'configmaps', 'ConfigMap'),
  services: resource<Service>('', 'v1', 'services', 'Service'),
  endpointSlices: resource<EndpointSlice>('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice'),
  networkPolicies: resource<NetworkPolicy>('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy'),
  leases: resource<Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  namespaces: resource<Namespace>('', 'v1', 'namespaces', 'Namespace'),
  events: resource<KubeEvent>('', 'v1', 'events', 'Event'),
  tokenReviews: resource<TokenReview>('authentication.k8s.io', 'v1', 'tokenreviews', 'TokenReview'),
  subjectAccessReviews: resource<SubjectAccessReview>(
    'authorization.k8s.io',
    'v1',
    'subjectaccessreviews',
    'SubjectAccessReview',
  ),
} as const

/** `group/version`, or `version` alone in the core group: the `apiVersion` of a manifest. */
export function apiVersionOf(resource: Resource<unknown>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
}

/** Path of a collection, or with a name of one object. Without a namespace: over all namespaces, or cluster-scoped. */
export function pathOf(resource: Resource<unknown>, namespace: string | undefined, name?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${root}/${resource.version}${scope}/${resource.plural}${object}`
}

function resource<T>(apiGroup: string, apiVersion: string, plural: string, kind: string): Resource<T> {
  return { group: apiGroup, version: apiVersion, plural, kind }
}

function own<T>(kind: keyof typeof plurals): Resource<T> {
  return resource<T>(group, version, plurals[kind], kind)
}
