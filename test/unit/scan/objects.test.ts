/**
 * What a scan is made of in the cluster. The golden files show it whole; SCANFLEET_UPDATE_GOLDEN=1 writes them anew. The
 * assertions say what must hold of them whatever else changes.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import type { Job } from '../../../operator/kube/objects.ts'
import { type Attempt, attemptName, factsOf, type ScanSettings } from '../../../operator/scan/attempt.ts'
import { buildNetworkPolicy, buildSecret } from '../../../operator/scan/companions.ts'
import { clonePlanSchema, planVariable, podPaths, scanPlanSchema } from '../../../operator/scan/contract/plan.ts'
import { buildJob } from '../../../operator/scan/job.ts'
import { aManagedScan, aRun, facts, metadata } from '../../support/objects.ts'

const settings: ScanSettings = {
  scanNamespace: 'scans',
  operatorNamespace: 'scanfleet',
  image: facts.image,
  imagePullPolicy: 'IfNotPresent',
  imagePullSecrets: [],
  requireFence: true,
}
const attempt: Attempt = {
  run: aRun(),
  managedScan: aManagedScan(),
  facts,
  policy: [],
  cloneUrl: 'https://github.example.com/acme/shop.git',
  codeHost: { host: 'github.example.com', addresses: ['203.0.113.7', '2001:db8::7'], port: 443 },
  gateway: { host: 'gateway.scanfleet.svc', addresses: ['10.96.0.20'], port: 8443 },
  forbidden: [{ host: '10.96.0.20', port: 8444 }],
  username: 'x-access-token',
  hasCodeHostCa: true,
}
const secrets = {
  token: 'fake-clone-token',
  uploadToken: 'fake-upload-token',
  gatewayCa: 'fake-ca',
  codeHostCa: 'fake-ca',
}
const owner: Job = { metadata: metadata(attemptName(facts.runUid, 1), { uid: 'uid-job' }), spec: {} }

interface Container {
  readonly name: string
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly securityContext: Readonly<Record<string, unknown>>
  readonly resources: { readonly limits: object }
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
}
interface PodSpec extends Readonly<Record<string, unknown>> {
  readonly containers: readonly [Container, Container]
  readonly volumes: readonly {
    readonly name: string
    readonly secret?: { readonly secretName: string; readonly items: readonly { readonly key: string }[] }
    readonly emptyDir?: { readonly sizeLimit: string }
  }[]
}

function podSpec(changes: Partial<Attempt> = {}): PodSpec {
  const job = buildJob({ ...attempt, ...changes }, settings) as { spec: { template: { spec: PodSpec } } }
  return job.spec.template.spec
}

describe('golden files', () => {
  for (const [name, object] of Object.entries({
    job: buildJob(attempt, settings),
    'network-policy': buildNetworkPolicy(attempt, owner, settings),
    secret: buildSecret(attempt, owner, secrets, settings),
  }))
    test(`${name} is as it was`, () => {
      const file = join(import.meta.dirname, '../../golden', `scan-${name}.yaml`)
      if (process.env['SCANFLEET_UPDATE_GOLDEN'] === '1') writeFileSync(file, stringify(object, { lineWidth: 0 }))
      assert.ok(existsSync(file), `${file} is missing`)
      assert.deepEqual(parse(stringify(object)), parse(readFileSync(file, 'utf8')))
    })
})

describe('the pod of a scan', () => {
  const spec = podSpec()
  const [clone, scan] = spec.containers
  const keysOf = (volume: string) =>
    spec.volumes.find(({ name }) => name === volume)?.secret?.items.map(({ key }) => key)
  const mounts = ({ volumeMounts }: Container) => volumeMounts.map(({ name }) => name)

  test('fulfils Pod Security restricted, and more', () => {
    assert.deepEqual(spec['securityContext'], {
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    for (const { securityContext, resources } of spec.containers) {
      assert.deepEqual(securityContext, {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'] },
      })
      assert.ok('memory' in resources.limits && 'ephemeral-storage' in resources.limits)
    }
    assert.equal(spec['hostUsers'], false)
    for (const shared of ['hostNetwork', 'hostPID', 'hostIPC', 'shareProcessNamespace'])
      assert.equal(spec[shared], undefined)
  })

  test('has no service account, no DNS, and knows addresses by name only where it was given them', () => {
    assert.equal(spec['automountServiceAccountToken'], false)
    assert.equal(spec['enableServiceLinks'], false)
    assert.equal(spec['dnsPolicy'], 'None')
    assert.deepEqual(spec['hostAliases'], [
      { ip: '203.0.113.7', hostnames: ['github.example.com'] },
      { ip: '2001:db8::7', hostnames: ['github.example.com'] },
      { ip: '10.96.0.20', hostnames: ['gateway.scanfleet.svc'] },
    ])
  })

  test('shows the clone credential to clone alone and the upload token to scan alone', () => {
    assert.deepEqual(keysOf('clone-secrets'), ['token', 'code-host-ca.crt'])
    assert.deepEqual(keysOf('scan-secrets'), ['upload-token', 'gateway-ca.crt'])
    assert.deepEqual(mounts(clone), ['workspace', 'clone-tmp', 'clone-secrets'])
    assert.deepEqual(mounts(scan), ['workspace', 'scan-tmp', 'scan-secrets'])
  })

  test('lets scan read the checkout and not write it', () => {
    const workspace = ({ volumeMounts }: Container) => volumeMounts.find(({ name }) => name === 'workspace')
    assert.equal(workspace(clone)?.readOnly, undefined)
    assert.deepEqual(workspace(scan), { name: 'workspace', mountPath: podPaths.workspace, readOnly: true })
  })

  test('mounts nothing but bounded scratch space and its own Secret', () => {
    for (const { emptyDir, secret } of spec.volumes)
      assert.ok(emptyDir?.sizeLimit || secret?.secretName === owner.metadata.name)
  })

  test('has its plan in the environment, and no secret there', () => {
    for (const { env } of spec.containers)
      assert.deepEqual(
        env.map(({ name }) => name),
        [planVariable],
      )
    const shown = JSON.stringify(buildJob(attempt, settings))
    for (const value of Object.values(secrets)) assert.equal(shown.includes(value), false)
    assert.ok(clonePlanSchema.safeParse(JSON.parse(clone.env[0]?.value ?? '')).success)
    assert.ok(scanPlanSchema.safeParse(JSON.parse(scan.env[0]?.value ?? '')).success)
  })

  test('gives up user namespaces only where the ManagedScan says so', () => {
    const managedScan = aManagedScan({ spec: { pod: { userNamespaces: false } } })
    assert.equal(podSpec({ managedScan })['hostUsers'], undefined)
  })

  test('without certificates of the code host mounts none', () => {
    const volumes = podSpec({ hasCodeHostCa: false }).volumes
    assert.deepEqual(
      volumes.find(({ name }) => name === 'clone-secrets')?.secret?.items.map(({ key }) => key),
      ['token'],
    )
  })
})

describe('the Job of a scan', () => {
  const job = buildJob(attempt, settings) as { metadata: Job['metadata']; spec: Record<string, unknown> }

  test('is made suspended, runs one pod once, and ends by itself', () => {
    const { suspend, backoffLimit, completions, parallelism, activeDeadlineSeconds, ttlSecondsAfterFinished } = job.spec
    assert.deepEqual([suspend, backoffLimit, completions, parallelism], [true, 0, 1, 1])
    assert.deepEqual([activeDeadlineSeconds, ttlSecondsAfterFinished], [1800, 900])
  })

  test('carries the facts that a restarted controller needs, and is not ours when they were changed', () => {
    assert.deepEqual(factsOf({ metadata: job.metadata, spec: {} }), facts)
    assert.equal(
      factsOf({ metadata: { ...job.metadata, annotations: { 'scanfleet.dev/attempt': '{}' } }, spec: {} }),
      undefined,
    )
    assert.equal(factsOf({ metadata: metadata('foreign'), spec: {} }), undefined)
  })

  test('is named by run and attempt alone', () => {
    assert.equal(attemptName('uid', 1), attemptName('uid', 1))
    assert.equal(new Set([attemptName('uid', 1), attemptName('uid', 2), attemptName('other', 1)]).size, 3)
    assert.match(attemptName('uid', 1), /^scan-[0-9a-f]{24}$/)
  })
})

describe('policy and Secret', () => {
  test('go with the Job', () => {
    for (const object of [
      buildNetworkPolicy(attempt, owner, settings),
      buildSecret(attempt, owner, secrets, settings),
    ]) {
      const { ownerReferences } = object['metadata'] as Job['metadata']
      assert.deepEqual(ownerReferences, [
        { apiVersion: 'batch/v1', kind: 'Job', name: owner.metadata.name, uid: 'uid-job', controller: true },
      ])
    }
  })

  test('open the code host by address and the gateway by its pods, one port each, and nothing from outside', () => {
    const { spec } = buildNetworkPolicy(attempt, owner, settings) as {
      spec: { egress: unknown[]; ingress?: unknown; policyTypes: string[] }
    }
    assert.deepEqual(spec.policyTypes, ['Ingress', 'Egress'])
    assert.equal(spec.ingress, undefined)
    assert.deepEqual(spec.egress[0], {
      to: [{ ipBlock: { cidr: '203.0.113.7/32' } }, { ipBlock: { cidr: '2001:db8::7/128' } }],
      ports: [{ protocol: 'TCP', port: 443 }],
    })
    assert.equal(spec.egress.length, 2)
  })
})
