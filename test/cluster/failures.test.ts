/**
 * Specification of scans that cannot succeed: each ends once, with a reason of its own and a sentence that says what to do,
 * and leaves nothing behind. And of repositories that are made to harm or to hide: they end in a result or a clear refusal.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { ScanRun } from '../../operator/api/kinds.ts'
import { labels } from '../../operator/api/names.ts'
import { resources } from '../../operator/kube/resources.ts'
import { aCodeHost, type TreeEntry } from '../containers/host.ts'
import { failures, type GitHubServer } from '../scm-servers/github/index.ts'
import { samplesFolder } from '../scm-servers/github/repositories.ts'
import { namespaces, openProduct, type Product } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { createTeam, leftovers, message, outcome, type Team } from './team.ts'

const organization = 'acme'
const nobodysCommit = 'c'.repeat(40)
/** What every ManagedScan here has: it starts nothing by itself, and looks for secrets only, which is quick. */
const basics = { products: ['Secrets'], schedule: { initial: false } }

describe('a scan that cannot succeed', () => {
  let product: Product
  let host: GitHubServer
  let team: Team
  let opened = ''

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost({ samples: false })
    await addRepositories()
    team = await createTeam(product, host, 'failures')
    await team.discovered(host.state.repositories.length)
    await team.scan('ordinary', basics)
    await startSlowOnes()
  })
  after(async () => {
    if (opened !== '') await product.client.delete(resources.networkPolicies, namespaces.scans, opened)
    await team?.remove()
    await host?.stop()
    await product?.close()
  })

  async function addRepositories(): Promise<void> {
    const source = join(samplesFolder, 'payments-api')
    for (const name of ['shop', 'hanging', 'refusing', 'unfenced', 'vanishing'])
      await host.addRepository(name, { source })
    for (const name of ['hanging', 'vanishing'])
      host.script({ method: 'POST', path: `^/acme/${name}\\.git/`, times: 1000, does: failures.never() })
    const refusal = { kind: 'Reply', status: 403, body: {} } as const
    host.script({ path: '^/acme/refusing\\.git/', times: 1000, does: refusal })
    await host.addRepository('empty')
    const makers = await aCodeHost(host)
    await makers.addMade('bomb', async ({ blob, tree }) => nest(tree, await blob('boom\n'), 7))
    await makers.addTree('bloated', [{ mode: '100644', name: 'zeros', is: Buffer.alloc(64 << 20) }])
    await makers.addTree('hiding', hiding)
    await makers.addTree('hungry', [{ mode: '100644', name: 'package-lock.json', is: hugeLockfile() }])
  }

  /** Those that take a minute go on beside the others. */
  async function startSlowOnes(): Promise<void> {
    await team.scan('one-minute', { ...basics, limits: { timeout: '1m' } })
    await team.run('hanging', 'one-minute', 'acme/hanging')
    await team.scan('nowhere', { ...basics, limits: { timeout: '1m' }, pod: { nodeSelector: { moon: 'dark-side' } } })
    await team.run('nowhere', 'nowhere', 'acme/shop')
    await team.scan('unfenced', { ...basics, suspend: true })
    const { metadata } = await team.run('unfenced', 'unfenced', 'acme/unfenced')
    opened = `opened-for-${team.namespace}`
    const spec = { podSelector: { matchLabels: { [labels.run]: metadata.uid } }, policyTypes: ['Egress'], egress: [{}] }
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: opened }, spec }
    await product.client.create(resources.networkPolicies, namespaces.scans, policy)
    await team.scan('unfenced', basics)
  }

  function assertFailed(run: ScanRun, reason: string, sentence: RegExp): void {
    assert.equal(outcome(run), `False ${reason}`, message(run))
    assert.match(message(run), sentence)
    assert.equal(run.status?.result, undefined)
    for (const type of ['Failed', 'Stalled'])
      assert.ok(run.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True'))
  }

  const gitCalls = (name: string) =>
    host.stats.calls.filter(({ path }) => path.startsWith(`/${organization}/${name}.git/`))

  test('because memory is short: OutOfMemory', async () => {
    await team.scan('little-memory', { ...basics, products: ['SupplyChain'], limits: { memory: '128Mi' } })
    await team.run('memory', 'little-memory', 'acme/hungry')
    assertFailed(await team.over('memory'), 'OutOfMemory', /limits\.memory|memory limit/)
  })

  test('because nobody has the commit: CommitNotFound', async () => {
    await team.run('commit', 'ordinary', 'acme/shop', { commit: nobodysCommit })
    assertFailed(await team.over('commit'), 'CommitNotFound', /c{40}|commit/)
  })

  test('because nobody has the branch: BranchNotFound, without a pod', async () => {
    await team.run('branch', 'ordinary', 'acme/shop', { branch: 'no-such-branch' })
    const run = await team.over('branch')
    assertFailed(run, 'BranchNotFound', /no-such-branch/)
    assert.equal(run.status?.startTime, undefined)
  })

  test('because the repository is empty: RepositoryEmpty, without a pod', async () => {
    await team.run('empty', 'ordinary', 'acme/empty')
    const run = await team.over('empty')
    assertFailed(run, 'RepositoryEmpty', /no commit|empty/)
    assert.equal(run.status?.startTime, undefined)
  })

  test('because nothing of this name was discovered: RepositoryNotFound', async () => {
    await team.run('unknown', 'ordinary', 'acme/unknown')
    assertFailed(await team.over('unknown'), 'RepositoryNotFound', /acme\/unknown/)
  })

  test('because the cluster refuses what people set for its pod: PodRefused, at once, with what is wrong', async () => {
    await team.scan('refused', { ...basics, pod: { nodeSelector: { moon: 'not a label!' } } })
    await team.run('refused', 'refused', 'acme/shop')
    assertFailed(await team.over('refused'), 'PodRefused', /nodeSelector/)
  })

  test('because the code host refuses the clone: CloneRefused', async () => {
    await team.run('refusing', 'ordinary', 'acme/refusing')
    assertFailed(await team.over('refusing'), 'CloneRefused', /403|refuse/)
  })

  test('because its pod is deleted in the middle: JobLost', async () => {
    const { metadata } = await team.run('vanishing', 'ordinary', 'acme/vanishing')
    await until('the clone has begun', () => gitCalls('vanishing').length > 0)
    await product.kubectl([
      'delete',
      'pods',
      '-n',
      namespaces.scans,
      '-l',
      `${labels.run}=${metadata.uid}`,
      '--wait=false',
    ])
    assertFailed(await team.over('vanishing'), 'JobLost', /deleted/)
  })

  test('because ten million files fall out of seven small trees: RepositoryTooLarge, before any is written', async () => {
    await team.scan('few-files', { ...basics, limits: { files: 100_000 } })
    await team.run('bomb', 'few-files', 'acme/bomb')
    assertFailed(await team.over('bomb'), 'RepositoryTooLarge', /more than 100000 files/)
  })

  test('because a few kilobytes become more than its disk: RepositoryTooLarge, before any is written', async () => {
    await team.scan('little-disk', { ...basics, limits: { disk: '32Mi' } })
    await team.run('bloated', 'little-disk', 'acme/bloated')
    assertFailed(await team.over('bloated'), 'RepositoryTooLarge', /more than \d+ bytes/)
  })

  test('does not include one that hides its secrets by every means of the scanners: they are found and counted', async () => {
    await team.run('hiding', 'ordinary', 'acme/hiding')
    const { status } = await team.over('hiding')
    assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'Succeeded')
    assert.equal(status?.result?.findings?.byProduct?.secrets?.total, 2)
    assert.ok((status?.result?.suppressed ?? 0) > 0, 'what it asked to hide is counted')
  })

  test('because no node will have it: PodNotStarted, with what the scheduler says', async () => {
    assertFailed(await team.over('nowhere'), 'PodNotStarted', /node/)
  })

  test('because the code host never answers: DeadlineExceeded, and its credential is revoked', async () => {
    assertFailed(await team.over('hanging'), 'DeadlineExceeded', /limits\.timeout/)
    const tokens = gitCalls('hanging').flatMap(({ token = '' }) => (token === '' ? [] : [token]))
    assert.ok(tokens.length > 0)
    for (const token of tokens) assert.equal(host.state.tokens.get(token)?.revoked, true)
  })

  test('because the fence does not hold: IsolationNotEnforced, and nothing was cloned', async () => {
    assertFailed(await team.over('unfenced'), 'IsolationNotEnforced', /Nothing was cloned/)
    assert.deepEqual(gitCalls('unfenced'), [])
  })

  test('leaves one event that tells why, and nothing in the scan namespace', async () => {
    for (const run of await team.runs()) {
      if (run.status?.conditions?.every(({ type }) => type !== 'Failed')) continue
      const { name, uid } = run.metadata
      const reason = run.status?.conditions?.find(({ type }) => type === 'Failed')?.reason
      const events = (await product.client.list(resources.events, team.namespace)).items
      const told = events.filter(({ involvedObject }) => involvedObject.uid === uid)
      assert.deepEqual(
        told.map((event) => [event.type, event.reason]),
        [['Warning', reason]],
        name,
      )
    }
    const left = await leftovers(product)
    assert.deepEqual(
      left.filter((name) => !name.endsWith(opened)),
      [],
    )
  })
})

/** Folders of ten folders, `levels` deep: as many files as ten to the power of it, made of a handful of objects. */
async function nest(
  tree: (entries: readonly TreeEntry[]) => Promise<string>,
  blob: string,
  levels: number,
): Promise<string> {
  const ten = (mode: TreeEntry['mode'], object: string): TreeEntry[] =>
    Array.from({ length: 10 }, (_, index) => ({ mode, name: `n${index}`, is: { object } }))
  let made = await tree(ten('100644', blob))
  for (let level = 1; level < levels; level++) made = await tree(ten('40000', made))
  return made
}

/** Takes many times its size in memory, once it is read. */
function hugeLockfile(): string {
  const names = Array.from({ length: 300_000 }, (_, index) => `node_modules/package-${index}`)
  const packages = Object.fromEntries(names.map((name) => [name, { version: '1.0.0' }]))
  return JSON.stringify({ name: 'hungry', lockfileVersion: 3, packages })
}

/** Not a key of anybody: sixteen letters after the prefix that AWS gives its keys. */
const key = (letters: string) => `AKIA${letters}`
const hiding: readonly TreeEntry[] = [
  { mode: '100644', name: '.gitleaks.toml', is: '[allowlist]\npaths = [".*"]\n' },
  { mode: '100644', name: '.gitleaksignore', is: 'settings.py:aws-access-token:1\n' },
  { mode: '100644', name: '.semgrepignore', is: '*\n' },
  { mode: '120000', name: 'environment', is: '/proc/self/environ' },
  { mode: '100644', name: 'evil\u202e\ntxt.py', is: `aws = "${key('QYLPMN5HHHFPZAM2')}"\n` },
  { mode: '100644', name: 'settings.py', is: `aws = "${key('IOSFODNN7EXAMPLQ')}" # gitleaks:allow nosemgrep\n` },
]
