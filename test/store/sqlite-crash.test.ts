import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openStore } from '../../operator/gateway/store/index.ts'
import { makeFolder } from '../support/gateway.ts'

test('a gateway that is killed while it stores loses nothing that it accepted and keeps no half of a result', async () => {
  const folder = await makeFolder()
  const file = join(folder.path, 'findings.db')
  const program = join(import.meta.dirname, '../support/accept-until-killed.ts')
  const child = spawn(process.execPath, [program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  let accepted = 0
  for await (const line of createInterface({ input: child.stdout })) {
    accepted = Number(line)
    if (accepted === 7) child.kill('SIGKILL')
  }
  await ended

  const store = await openStore({ kind: 'sqlite', file })

  const stored = (await store.unpublished(10_000)).map(({ runUid }) => runUid)
  assert.ok(accepted >= 7)
  // One more may have been committed without a chance to say so.
  assert.ok([accepted, accepted + 1].includes(stored.length), `${accepted} said, ${stored.length} stored`)
  const open = await store.findings({ state: 'Open' }, { limit: 1000 })
  assert.equal(open.length, stored.length % 2 === 0 ? 100 : 200)
  await store.close()
  await folder.remove()
})
