import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  condition,
  createRepository,
  createWaitingRun,
  type GatewayUnderTest,
  makeFolder,
  readRun,
  startGateway,
  type WaitingRun,
} from '../support/gateway.ts'
import { type ControlPlane, openControlPlane } from '../support/kubernetes.ts'
import { anUpload } from '../support/results.ts'
import { until } from '../support/wait.ts'

describe('findings for people with a Kubernetes token', () => {
  let plane: ControlPlane
  let namespace: string
  let folder: Awaited<ReturnType<typeof makeFolder>>
  let gateway: GatewayUnderTest
  let run: WaitingRun
  const tokens = { reader: '', stranger: '', auditor: '' }

  before(async () => {
    plane = await openControlPlane()
    namespace = await plane.createNamespace('api')
    folder = await makeFolder()
    await createRepository(plane.client, namespace, 'shop')
    gateway = await startGateway(plane.client, namespace, folder.path)
    run = await createWaitingRun(plane.client, namespace, 'shop')
    const findings = [
      { id: 'sqli', severity: 'Critical' as const },
      { id: 'xss', path: 'src/sp ace/ünï.ts' },
      { id: 'key', product: 'Secrets' as const },
    ]
    await gateway.upload(run, anUpload(findings))
    await until('the run is complete', async () => condition(await readRun(plane.client, run), 'Complete') === 'True')
    const { kubectl } = plane
    await kubectl([
      'create',
      'clusterrole',
      `${namespace}-findings`,
      '--verb=get',
      '--resource=scmrepositories.scanfleet.dev/findings',
    ])
    for (const name of ['reader', 'stranger', 'auditor'] as const) {
      await kubectl(['create', 'serviceaccount', name, '-n', namespace])
      tokens[name] = (await kubectl(['create', 'token', name, '-n', namespace])).trim()
    }
    const role = `--clusterrole=${namespace}-findings`
    await kubectl(['create', 'rolebinding', 'findings', '-n', namespace, role, `--serviceaccount=${namespace}:reader`])
    await kubectl([
      'create',
      'clusterrolebinding',
      `${namespace}-findings`,
      role,
      `--serviceaccount=${namespace}:auditor`,
    ])
  })
  after(async () => {
    await gateway?.stop()
    await folder?.remove()
    await plane?.close()
  })

  const get = (path: string, token?: string) =>
    gateway.send('GET', path, token === undefined ? {} : { authorization: `Bearer ${token}` })

  test('the front page says what this is, to anybody', async () => {
    const answer = await get('/')
    assert.equal(answer.status, 200)
    assert.match(answer.body, /^Scanfleet gateway\./)
  })

  test('without a token of the cluster there is nothing to see', async () => {
    for (const token of [undefined, 'not-a-token', `${tokens.reader.slice(0, -4)}AAAA`]) {
      const answer = await get(`/api/v1/findings?namespace=${namespace}`, token)
      assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer'])
    }
  })

  test('a namespace that a token may read is listed, worst findings first', async () => {
    const answer = await get(`/api/v1/findings?namespace=${namespace}`, tokens.reader)

    assert.equal(answer.status, 200)
    const { items } = JSON.parse(answer.body)
    assert.equal(items.length, 3)
    const [first] = items
    assert.deepEqual(
      [first.severity, first.repository, first.scmRepository, first.product, first.state, first.region.startLine],
      ['Critical', 'acme/shop', 'shop', 'Code', 'Open', 3],
    )
  })

  test('pages lead to each other until all is seen', async () => {
    const seen: string[] = []
    for (let cursor = ''; ; ) {
      const answer = await get(`/api/v1/findings?namespace=${namespace}&limit=2${cursor}`, tokens.reader)
      const { items, nextCursor } = JSON.parse(answer.body)
      seen.push(...items.map((item: { id: string }) => item.id))
      if (nextCursor === undefined) break
      cursor = `&cursor=${nextCursor}`
    }
    assert.equal(new Set(seen).size, 3)
    assert.equal(seen.length, 3)
  })

  test('all namespaces are listed for those who may read all', async () => {
    assert.equal((await get('/api/v1/findings', tokens.reader)).status, 403)
    assert.equal((await get('/api/v1/findings', tokens.auditor)).status, 200)
  })

  test('a namespace that exists and one that does not are refused alike', async () => {
    const there = await get(`/api/v1/findings?namespace=${namespace}`, tokens.stranger)
    const nowhere = await get('/api/v1/findings?namespace=nowhere', tokens.stranger)
    assert.deepEqual([there.status, there.body], [403, nowhere.body])
    const sarif = await get(`/api/v1/repositories/${namespace}/shop/sarif`, tokens.stranger)
    const noSarif = await get(`/api/v1/repositories/${namespace}/none/sarif`, tokens.stranger)
    assert.deepEqual([sarif.status, sarif.body], [403, noSarif.body])
  })

  test('a scan that exists is not to be told from one that does not', async () => {
    const there = await get(`/api/v1/scans/${run.uid}/sarif`, tokens.stranger)
    const nowhere = await get('/api/v1/scans/00000000-0000-0000-0000-000000000000/sarif', tokens.stranger)
    assert.deepEqual([there.status, there.body], [404, nowhere.body])
  })

  test('SARIF of a repository and of a scan can be downloaded', async () => {
    for (const path of [`/api/v1/repositories/${namespace}/shop/sarif`, `/api/v1/scans/${run.uid}/sarif`]) {
      const answer = await get(path, tokens.reader)
      assert.equal(answer.status, 200)
      assert.match(String(answer.headers['content-disposition']), /^attachment; filename="[-a-z0-9]+\.sarif"$/)
      const log = JSON.parse(answer.body)
      assert.equal(log.version, '2.1.0')
      const results = log.runs.flatMap((one: { results: unknown[] }) => one.results)
      assert.equal(results.length, 3)
      assert.ok(answer.body.includes('src/sp%20ace/%C3%BCn%C3%AF.ts'))
    }
  })

  test('a query that asks for something else is told what is wrong', async () => {
    for (const query of ['severity=Awful', 'limit=0', 'limit=9999', 'cursor=x', 'namespace=UPPER', 'colour=red']) {
      const answer = await get(`/api/v1/findings?${query}`, tokens.auditor)
      assert.deepEqual([answer.status, JSON.parse(answer.body).reason], [400, 'BadQuery'], query)
    }
  })

  test('other paths and methods do not exist', async () => {
    for (const [method, path] of [
      ['GET', '/api/v1/secrets'],
      ['POST', '/api/v1/findings'],
      ['GET', '/%2e%2e/etc'],
    ] as const) {
      assert.equal((await gateway.send(method, path)).status, 404)
    }
  })
})
