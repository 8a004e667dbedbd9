/** Accepts scan after scan into the SQLite file of its first argument and says each aloud when it is accepted. */
import { openStore } from '../../operator/gateway/store/index.ts'
import { aScan } from './acceptances.ts'

const store = await openStore({ kind: 'sqlite', file: process.argv[2] ?? '' })
const findings = Array.from({ length: 200 }, (_, index) => ({ id: `f${index}` }))
for (let minute = 1; ; minute += 1) {
  await store.accept(aScan({ minute, findings: minute % 2 === 0 ? findings.slice(100) : findings }))
  process.stdout.write(`${minute}\n`)
}
