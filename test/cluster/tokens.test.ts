/**
 * Specification of what becomes of credentials: while scans run and after them they are nowhere but in the one file that
 * `clone` reads. One scan is kept waiting in the middle of its fetch, so that git can be looked at while it uses one.
 */
import assert from 'node:assert/strict'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { GitHubServer } from '../scm-servers/github/index.ts'
import { failures } from '../scm-servers/github/index.ts'
import { namespaces, openProduct, type Product, productFolder } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { formsOf, type Hunt, hunt, type Trail } from './hunt.ts'
import { createTeam, isOver, leftovers, outcome, type Team } from './team.ts'

const held = 'acme/inventory'

describe('the credentials of five scans with an App and one with a person’s token', () => {
  let product: Product
  let host: GitHubServer
  let byApp: Team
  let byToken: Team
  let personal: string
  let running: Hunt
  let trail: Trail
  const objects = { during: '', after: '' }

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost()
    personal = host.issueToken()
    host.script({ method: 'POST', path: `^/${held}\\.git/git-upload-pack`, times: 1000, does: failures.never() })
    const { logs, auditLog = '' } = product.cluster
    running = hunt({
      tokens: () => host.state.tokens.keys(),
      fleeting: [join(dirname(logs), 'pod-logs')],
      lasting: [logs, auditLog, join(productFolder, 'findings')],
    })

    byApp = await createTeam(product, host, 'tokens-app')
    await byApp.scan('everything', { limits: { concurrent: 2 } })
    byToken = await createTeam(product, host, 'tokens-person', { kind: 'Token', token: personal })
    await byToken.scan('one', { repositories: { include: ['acme/payments-api'] } })
    await byToken.allOver(1)
    await until('all but the one that is held are over', overBut(1), { withinMs: 8 * 60_000, everyMs: 500 })
    await until(
      'git is in the middle of its fetch',
      () => host.stats.calls.some(({ path }) => path.startsWith(`/${held}.git/`)) && running.trail.programs.size > 2,
    )
    objects.during = await allObjects()
    host.clearScript()
    const [run] = (await byApp.runs()).filter((one) => one.status?.repository === held)
    await product.kubectl(['delete', 'scanrun', run?.metadata.name ?? '', '-n', byApp.namespace])
    await until('the run was made anew', async () => (await byApp.runs()).length === 5)
    await byApp.allOver(5)
    trail = await running.stop()
    objects.after = await allObjects()
  })
  after(async () => {
    await running?.stop()
    await byApp?.remove()
    await byToken?.remove()
    await host?.stop()
    await product?.close()
  })

  function overBut(count: number): () => Promise<boolean> {
    return async () => {
      const runs = await byApp.runs()
      return runs.length >= 5 && runs.filter((run) => !isOver(run)).length === count
    }
  }

  /** Everything that the API server stores and people may list, Secrets apart, and what both processes print and count. */
  async function allObjects(): Promise<string> {
    const { kubectl } = product
    const kinds = (await kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n')
    const open = kinds.filter((kind) => kind !== 'secrets')
    const objects = await kubectl([
      'get',
      open.join(','),
      '-A',
      '-o',
      'yaml',
      '--show-managed-fields',
      '--ignore-not-found',
    ])
    const pods = (await kubectl(['get', 'pods', '-n', namespaces.operator, '-o', 'name'])).trim().split('\n')
    const said = pods.map((pod) => kubectl(['logs', pod, '-n', namespaces.operator, '--all-containers']))
    const counted = pods.map((pod) =>
      kubectl(['get', '--raw', `/api/v1/namespaces/${namespaces.operator}/pods/${pod.slice(4)}:9090/proxy/metrics`]),
    )
    return [objects, ...(await Promise.all(said)), ...(await Promise.all(counted))].join('\n')
  }

  const cloneTokens = () =>
    new Set(host.stats.calls.flatMap(({ kind, token }) => (kind === 'Git' && token !== undefined ? [token] : [])))

  test('the hunt has seen git at work, the files of both containers, and tokens where they belong', () => {
    const programs = [...trail.programs].join('\n')
    assert.match(programs, /scanfleet-clone/)
    assert.match(programs, /git-remote-https|git fetch/)
    assert.ok(trail.containers.size >= 6, `${trail.containers.size} containers`)
    assert.ok(trail.rightPlaces > 0)
    assert.ok(trail.files > 100)
    assert.ok(cloneTokens().size >= 5, 'every clone with the App has a token of its own')
  })

  test('no token is in an argument, an environment, a checkout, a log or the store', () => {
    assert.deepEqual([...trail.sightings], [])
  })

  test('no token is in any object, event or metric, neither during the scans nor after them', () => {
    const needles = formsOf(host.state.tokens.keys())
    for (const [when, text] of Object.entries(objects)) {
      assert.ok(text.includes('kind: ScanRun'), `${when} the scans everything was listed`)
      assert.equal(needles.filter((needle) => text.includes(needle)).length, 0, when)
    }
  })

  test('a token of the App is for one repository, reads contents only, and is revoked after its clone', () => {
    for (const token of cloneTokens()) {
      if (token === personal) continue
      const { repositoryIds, permissions, revoked } = host.state.tokens.get(token) ?? {}
      assert.equal(repositoryIds?.length, 1)
      assert.deepEqual(permissions, { metadata: 'read', contents: 'read' })
      assert.equal(revoked, true)
    }
  })

  test('a person’s token is left alone', () => {
    assert.equal(host.state.tokens.get(personal)?.revoked, false)
  })

  test('all scans succeeded, also the one whose run was deleted in the middle of its clone, and nothing is left', async () => {
    const runs = [...(await byApp.runs()), ...(await byToken.runs())]
    assert.deepEqual(runs.map(outcome), Array(6).fill('True Succeeded'))
    assert.deepEqual(await leftovers(product), [])
  })
})
