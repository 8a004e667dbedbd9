import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { ResultRefused } from '../../../operator/gateway/results/document.ts'
import { createResultParser, parserDefaults, resultWorkerUrl } from '../../../operator/gateway/results/parser.ts'
import { bundle } from '../../../scripts/images/bundle.ts'
import { anUpload } from '../../support/results.ts'

const body = gzipSync(JSON.stringify(anUpload([{ id: 'a' }])))

describe('uploads are checked in worker threads', () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'scanfleet-parser-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('by the sources, and by the bundle of an image', async () => {
    const bundled = join(folder, 'result-worker.mjs')
    await bundle({ entry: join(import.meta.dirname, '../../../operator/gateway/results/worker.ts'), outfile: bundled })
    for (const workerUrl of [resultWorkerUrl(), pathToFileURL(bundled)]) {
      const parser = createResultParser({ ...parserDefaults, workerUrl })
      assert.equal((await parser.parse(body)).findings.length, 1)
      await parser.stop()
    }
  })

  test('many at once wait for each other', async () => {
    const parser = createResultParser({ ...parserDefaults, workerUrl: resultWorkerUrl() })
    const documents = await Promise.all(Array.from({ length: 20 }, () => parser.parse(body)))
    assert.ok(documents.every(({ findings }) => findings.length === 1))
    await parser.stop()
  })

  test('a worker that dies or hangs refuses its own upload and is replaced', async () => {
    const worker = join(folder, 'moody.mjs')
    await writeFile(
      worker,
      `import { parentPort } from 'node:worker_threads'
       parentPort.on('message', (body) => {
         const text = Buffer.from(body).toString()
         if (text === 'die') process.exit(1)
         if (text === 'throw') throw new Error('unexpected')
         if (text === 'hang') for (;;);
         parentPort.postMessage({ ok: true, document: { findings: [text] }, size: 0 })
       })`,
    )
    const parser = createResultParser({ ...parserDefaults, timeoutMs: 2_000, workerUrl: pathToFileURL(worker) })
    for (const mood of ['die', 'throw', 'hang']) {
      const [bad, good] = await Promise.allSettled([parser.parse(Buffer.from(mood)), parser.parse(Buffer.from('fine'))])
      assert.ok(
        bad.status === 'rejected' && bad.reason instanceof ResultRefused && bad.reason.reason === 'TooSlow',
        mood,
      )
      assert.equal(good.status, 'fulfilled', mood)
    }
    await parser.stop()
  })

  test('an image without the worker does not start', () => {
    const workerUrl = pathToFileURL(join(folder, 'nowhere.mjs'))
    assert.throws(() => createResultParser({ ...parserDefaults, workerUrl }), /is missing/)
  })
})
