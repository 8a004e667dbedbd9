/** Valid manifests of our kinds as people and the operator write them. `changes` go over the spec, field by field. */
import { apiVersion } from '../../operator/api/names.ts'

type Fields = Readonly<Record<string, unknown>>

export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: Fields
}

export function scmConnection(name: string, changes: Fields = {}): Manifest {
  const spec = {
    provider: 'GitHub',
    owner: { organization: 'acme' },
    credentials: { tokenSecretRef: { name: 'acme-token' } },
  }
  return manifest('ScmConnection', name, { ...spec, ...changes })
}

export function scmRepository(name: string, changes: Fields = {}): Manifest {
  return manifest('ScmRepository', name, {
    connectionRef: { name: 'acme' },
    id: '42',
    fullName: 'acme/shop',
    ...changes,
  })
}

export function managedScan(name: string, changes: Fields = {}): Manifest {
  return manifest('ManagedScan', name, { connectionRef: { name: 'acme' }, ...changes })
}

export function scanRun(name: string, changes: Fields = {}): Manifest {
  return manifest('ScanRun', name, {
    managedScanRef: { name: 'all' },
    repository: { fullName: 'acme/shop' },
    ...changes,
  })
}

/** A field whose change is undefined is left out. */
function manifest(kind: string, name: string, spec: Fields): Manifest {
  const kept = Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined))
  return { apiVersion, kind, metadata: { name }, spec: kept }
}
