import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openStore } from '../../operator/gateway/store/index.ts'
import { aScan } from '../support/acceptances.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

describe('several gateways over one PostgreSQL', () => {
  let server: Postgres
  before(async () => {
    server = await startPostgres()
  })
  after(() => server?.stop())

  test('they bring the tables up to date at once and take an attempt once', async () => {
    const url = await server.createDatabase()
    const stores = await Promise.all(
      [1, 2, 3].map(() => openStore({ kind: 'postgres', url, onLostConnection: () => undefined })),
    )
    try {
      const scan = aScan({ minute: 1, findings: [{ id: 'a' }] })
      const answers = await Promise.all(stores.flatMap((store) => [store.accept(scan), store.accept(scan)]))
      assert.equal(answers.filter((first) => first).length, 1)
    } finally {
      await Promise.all(stores.map((store) => store.close()))
    }
  })
})
