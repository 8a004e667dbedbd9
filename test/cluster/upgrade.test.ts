/** Specification of the product's own life: an upgrade scans nothing again, and removing it takes nothing of the teams away. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { z } from 'zod'
import { annotations } from '../../operator/api/names.ts'
import type { GitHubServer } from '../scm-servers/github/index.ts'
import { samplesFolder } from '../scm-servers/github/repositories.ts'
import { namespaces, openProduct, type Product, release } from '../support/product.ts'
import { until } from '../support/wait.ts'
import { createTeam, outcome, type Team } from './team.ts'

const pageSchema = z.object({ items: z.array(z.object({ repository: z.string() })) })

describe('the product with scans behind it', () => {
  let product: Product
  let host: GitHubServer
  let team: Team
  let reader: string

  before(async () => {
    product = await openProduct()
    host = await product.startCodeHost({ samples: false })
    await host.addRepository('shop', { source: join(samplesFolder, 'payments-api') })
    team = await createTeam(product, host, 'upgrade')
    await team.scan('everything', { products: ['Secrets'] })
    await team.allOver(1)
    await product.kubectl(['-n', team.namespace, 'create', 'serviceaccount', 'reader'])
    const right = ['--clusterrole=scanfleet-view', `--serviceaccount=${team.namespace}:reader`]
    await product.kubectl(['-n', team.namespace, 'create', 'rolebinding', 'reader', ...right])
    reader = (await product.kubectl(['-n', team.namespace, 'create', 'token', 'reader'])).trim()
  })
  after(async () => {
    await team?.remove()
    await host?.stop()
    await product?.close()
  })

  /** Asks the connection to look again, and returns when the controller that runs now has done so. */
  async function lookedAgain(request: string): Promise<void> {
    const here = ['scmconnection/acme', '-n', team.namespace]
    await product.kubectl(['annotate', ...here, '--overwrite', `${annotations.requestedAt}=${request}`])
    const handled = ['get', ...here, '-o', 'jsonpath={.status.lastHandledRequest}']
    await until('the connection was looked at', async () => (await product.kubectl(handled)) === request)
  }

  async function findings(): Promise<readonly string[]> {
    const answer = await product.ask(`/api/v1/findings?limit=500&namespace=${team.namespace}`, reader)
    assert.equal(answer.status, 200, answer.body)
    return pageSchema.parse(JSON.parse(answer.body)).items.map(({ repository }) => repository)
  }

  const repositoriesOf = async () => (await team.runs()).map(({ status }) => status?.repository).sort()

  test('an upgrade scans what is new, and nothing again', async () => {
    const before = await findings()
    await product.upgrade({ logLevel: 'debug' })
    await host.addRepository('till', { source: join(samplesFolder, 'design-tokens') })
    await lookedAgain('after-the-upgrade')
    const runs = await team.allOver(2)

    assert.deepEqual(await repositoriesOf(), ['acme/shop', 'acme/till'])
    assert.deepEqual(new Set(runs.map(outcome)), new Set(['True Succeeded']))
    assert.deepEqual(await findings(), before)
  })

  test('removing it keeps the kinds, what teams declared and what was found; installed again it goes on', async () => {
    const before = await findings()
    await product.helm(['uninstall', release, '-n', namespaces.operator, '--wait', '--timeout', '3m'])
    const kinds = await product.kubectl(['get', 'scmconn,mscan,scmrepo,scanrun', '-n', team.namespace, '-o', 'name'])
    assert.equal(kinds.trim().split('\n').length, 1 + 1 + 2 + 2)

    await product.upgrade()
    await lookedAgain('after-the-removal')
    assert.deepEqual(await repositoriesOf(), ['acme/shop', 'acme/till'])
    assert.deepEqual(await findings(), before)
  })
})
