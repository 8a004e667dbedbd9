/** Specification of the kinds: what a real API server accepts, refuses, fills in and shows. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ManagedScan, ScanRun, ScmConnection } from '../../operator/api/kinds.ts'
import { apiVersion, plurals } from '../../operator/api/names.ts'
import { isInvalid } from '../../operator/kube/errors.ts'
import { apiVersionOf, type Resource, resources } from '../../operator/kube/resources.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { managedScan, scanRun, scmConnection, scmRepository } from '../support/manifests.ts'
import {
  badConnections,
  badManagedScans,
  badScanRuns,
  goodConnections,
  goodManagedScans,
  goodScanRuns,
} from './manifests.ts'

describe('the kinds', () => {
  let kube: ControlPlane
  let namespace: string

  before(async () => {
    kube = await openControlPlane()
    namespace = await kube.createNamespace('kinds')
  })
  after(() => kube.close())

  async function accepted<T>(resource: Resource<T>, manifest: object): Promise<T> {
    return await kube.client.create(resource, namespace, manifest, { dryRun: true })
  }

  async function refused(resource: Resource<unknown>, manifest: object, sentence: RegExp): Promise<void> {
    await assert.rejects(kube.client.create(resource, namespace, manifest, { dryRun: true }), (error) => {
      assert.ok(isInvalid(error), `not refused as invalid: ${error}`)
      assert.match((error as Error).message, sentence)
      return true
    })
  }

  describe('accept', () => {
    for (const [name, spec] of Object.entries(goodConnections)) {
      it(`a connection: ${name}`, async () =>
        void (await accepted(resources.scmConnections, scmConnection('good', spec))))
    }
    for (const [name, spec] of Object.entries(goodManagedScans)) {
      it(`a managed scan: ${name}`, async () =>
        void (await accepted(resources.managedScans, managedScan('good', spec))))
    }
    for (const [name, spec] of Object.entries(goodScanRuns)) {
      it(`a scan run: ${name}`, async () => void (await accepted(resources.scanRuns, scanRun('good', spec))))
    }
  })

  describe('refuse, and say what to write instead', () => {
    for (const [name, { spec, sentence }] of Object.entries(badConnections)) {
      it(`a connection: ${name}`, () => refused(resources.scmConnections, scmConnection('bad', spec), sentence))
    }
    for (const [name, { spec, sentence }] of Object.entries(badManagedScans)) {
      it(`a managed scan: ${name}`, () => refused(resources.managedScans, managedScan('bad', spec), sentence))
    }
    for (const [name, { spec, sentence }] of Object.entries(badScanRuns)) {
      it(`a scan run: ${name}`, () => refused(resources.scanRuns, scanRun('bad', spec), sentence))
    }

    it('a name that is too long to appear in the names of children', async () => {
      await refused(
        resources.scmConnections,
        scmConnection('x'.repeat(101)),
        /101|may not be (more|longer) than 100|Too long/,
      )
    })

    it('a manifest with an unknown field, by kubectl apply as people use it', async () => {
      const manifest = scmConnection('typo', { suspended: true })

      const applying = kube.kubectl(['apply', '--namespace', namespace, '--filename=-'], JSON.stringify(manifest))

      await assert.rejects(applying, /unknown field "spec\.suspended"/)
    })
  })

  describe('keep what must not change', () => {
    it('the spec of a scan run', async () => {
      const made = await kube.client.create(resources.scanRuns, namespace, scanRun('fixed'))
      const patch = { spec: { commit: 'a'.repeat(40) } }

      const changing = kube.client.patch(resources.scanRuns, namespace, made.metadata.name, patch, { type: 'merge' })

      await assert.rejects(changing, /the spec of a ScanRun cannot be changed; create another ScanRun/)
    })

    it('the provider of a connection', async () => {
      await kube.client.create(resources.scmConnections, namespace, scmConnection('moved'))
      const patch = { spec: { provider: 'GitLab', owner: { organization: null, group: 'acme' } } }

      const changing = kube.client.patch(resources.scmConnections, namespace, 'moved', patch, { type: 'merge' })

      await assert.rejects(changing, /provider cannot be changed; create another ScmConnection/)
    })
  })

  describe('fill in', () => {
    it('the defaults of a connection', async () => {
      const { spec } = await accepted<ScmConnection>(resources.scmConnections, scmConnection('defaults'))

      assert.deepEqual(spec.features, ['Discovery'])
      assert.equal(spec.access, 'Read')
      assert.equal(spec.discovery.interval, '1h')
      assert.equal(spec.discovery.archived, 'Exclude')
      assert.equal(spec.clone.protocol, 'HTTPS')
      assert.equal(spec.limits.concurrent, 50)
      assert.equal(spec.deletionPolicy, 'Retain')
      assert.equal(spec.suspend, false)
      assert.equal(spec.credentials.tokenSecretRef?.key, 'token')
    })

    it('the defaults of a managed scan', async () => {
      const { spec } = await accepted<ManagedScan>(resources.managedScans, managedScan('defaults'))

      assert.deepEqual(spec.products, ['Code', 'SupplyChain', 'Secrets'])
      assert.deepEqual(spec.schedule, { initial: true, full: 'None', timeZone: 'Etc/UTC' })
      assert.deepEqual(spec.limits, {
        concurrent: 5,
        timeout: '30m',
        cpu: '1',
        memory: '2Gi',
        disk: '2Gi',
        files: 500000,
      })
      assert.equal(spec.pod.userNamespaces, true)
      assert.deepEqual(spec.history, { completed: 3, failed: 3 })
      assert.equal(spec.suppressions, 'Ignore')
      assert.equal(spec.suspend, false)
    })

    it('the reason of a scan run that a person wrote', async () => {
      const { spec } = await accepted<ScanRun>(resources.scanRuns, scanRun('defaults'))

      assert.equal(spec.reason, 'Manual')
    })
  })

  describe('keep spec and status apart', () => {
    it('a manifest cannot set status, and a status write cannot change spec', async () => {
      const manifest = { ...managedScan('apart'), status: { verdict: 'Clean' } }
      const made = await kube.client.create<ManagedScan>(resources.managedScans, namespace, manifest)
      const patch = { spec: { suspend: true }, status: { verdict: 'Findings' } }

      const written = await kube.client.patch<ManagedScan>(resources.managedScans, namespace, 'apart', patch, {
        type: 'merge',
        subresource: 'status',
      })

      assert.equal(made.status, undefined)
      assert.equal(written.status?.verdict, 'Findings')
      assert.equal(written.spec.suspend, false)
      assert.equal(written.metadata.generation, made.metadata.generation)
    })

    it('a scan run ends once, and what has ended stays ended', async () => {
      await kube.client.create(resources.scanRuns, namespace, scanRun('ending'))
      const ended = (type: string) => ({ ...condition(type, 'Some'), status: 'True' })
      const write = (...conditions: object[]) =>
        kube.client.patch(
          resources.scanRuns,
          namespace,
          'ending',
          { status: { conditions } },
          { type: 'merge', subresource: 'status' },
        )

      await assert.rejects(write(ended('Complete'), ended('Failed')), /a ScanRun ends once, as Complete or as Failed/)
      await write(ended('Failed'))
      await assert.rejects(write(ended('Complete')), /a ScanRun that has ended stays ended/)
      await assert.rejects(write(), /a ScanRun that has ended stays ended/)
      await write(ended('Failed'), ended('Stalled'))
    })

    it('conditions are one for each type, and two managers keep theirs side by side', async () => {
      await kube.client.create(resources.managedScans, namespace, managedScan('shared'))
      const write = (manager: string, type: string, reason: string) =>
        kube.client.apply<ManagedScan>(
          resources.managedScans,
          namespace,
          {
            apiVersion,
            kind: 'ManagedScan',
            metadata: { name: 'shared' },
            status: { conditions: [condition(type, reason)] },
          },
          { fieldManager: manager, subresource: 'status' },
        )

      await write('one', 'Ready', 'First')
      await write('two', 'Stalled', 'Other')
      const written = await write('one', 'Ready', 'Second')

      const seen = written.status?.conditions?.map(({ type, reason }) => `${type} ${reason}`)
      assert.deepEqual(seen, ['Ready Second', 'Stalled Other'])
    })
  })

  describe('are readable', () => {
    it('kubectl get shows state and a one-line reason', async () => {
      await kube.client.create(resources.scmConnections, namespace, scmConnection('shown'))
      const condition = {
        type: 'Ready',
        status: 'False',
        reason: 'SecretNotFound',
        message: 'Secret acme-token does not exist.',
        lastTransitionTime: '2026-01-02T03:04:05Z',
      }
      const status = { repositories: 7, conditions: [condition] }
      await kube.client.patch(
        resources.scmConnections,
        namespace,
        'shown',
        { status },
        { type: 'merge', subresource: 'status' },
      )

      const table = await kube.kubectl(['get', 'scmconn', 'shown', '--namespace', namespace])

      const [head, row] = table
        .trim()
        .split('\n')
        .map((line) => line.split(/\s{2,}/))
      assert.deepEqual(head, ['NAME', 'PROVIDER', 'READY', 'REPOSITORIES', 'STATUS', 'AGE'])
      assert.deepEqual(row?.slice(0, 5), ['shown', 'GitHub', 'False', '7', 'Secret acme-token does not exist.'])
    })

    it('kubectl get of every kind at once, by short name and by category', async () => {
      await kube.client.create(resources.scmRepositories, namespace, scmRepository('listed'))

      const byShortName = await kube.kubectl(['get', 'scmconn,mscan,scmrepo,scanrun', '--namespace', namespace])
      const byCategory = await kube.kubectl(['get', 'scanfleet', '--namespace', namespace, '--output=name'])

      assert.match(byShortName, /NAME\s+REPOSITORY\s+BRANCH\s+VERDICT\s+FINDINGS\s/)
      assert.match(byCategory, /scmrepository\.scanfleet\.dev\/listed/)
    })

    for (const kind of Object.keys(plurals) as (keyof typeof plurals)[]) {
      it(`kubectl explain has a sentence for ${kind} and its fields`, async () => {
        const text = await kube.kubectl(['explain', `${plurals[kind]}.spec`])
        const tree = await kube.kubectl(['explain', plurals[kind], '--recursive'])

        assert.match(text, /DESCRIPTION:\s+\w/)
        assert.doesNotMatch(text, /<no description>|<empty>/)
        assert.match(tree, /spec\t.*-required-[\s\S]*status\t/)
      })
    }
  })

  it('their group and version are the ones that the operator uses', () => {
    assert.equal(apiVersionOf(resources.scanRuns), apiVersion)
  })
})

function condition(type: string, reason: string) {
  return { type, status: 'True', reason, message: 'As it should be.', lastTransitionTime: '2026-01-02T03:04:05Z' }
}
