/** Specification of the store below a cache: versions never go back, and indexes always agree with the objects. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { KubeObject } from '../../../operator/api/kinds.ts'
import { createStore, isOlder, type WritableStore } from '../../../operator/kube/store.ts'

interface Thing extends KubeObject {
  readonly color: string
}

function thing(
  name: string,
  resourceVersion: string,
  color: string,
  uid = `uid-${name}`,
  deletionTimestamp?: string,
): Thing {
  const metadata = { name, namespace: 'ns', uid, resourceVersion, creationTimestamp: '2026-01-02T03:04:05Z' }
  return { metadata: { ...metadata, ...(deletionTimestamp && { deletionTimestamp }) }, color }
}

function make(): { store: WritableStore<Thing>; changes: string[] } {
  const changes: string[] = []
  const store = createStore<Thing>({
    project: (raw) => raw,
    indexes: { color: ({ color }) => [color] },
    onChange: (key, current, previous) =>
      void changes.push(`${key} ${previous?.color ?? '-'}>${current?.color ?? '-'}`),
  })
  return { store, changes }
}

describe('the store', () => {
  it('does not let an older version over a newer one, nor the same again', () => {
    const { store, changes } = make()
    store.put(thing('a', '10', 'red'))
    store.put(thing('a', '9', 'blue'))
    store.put(thing('a', '10', 'green'))
    store.put(thing('a', '11', 'white'))

    assert.deepEqual(changes, ['ns/a ->red', 'ns/a red>white'])
  })

  it('does not delete a namesake that was made later', () => {
    const { store } = make()
    store.put(thing('a', '20', 'red', 'second'))

    store.remove(thing('a', '15', 'blue', 'first'))

    assert.equal(store.get('ns/a')?.color, 'red')
  })

  it('refuses a question to an index that it does not have', () => {
    const { store } = make()
    assert.throws(() => store.byIndex('size', 'big'), /has no index size/)
  })

  it('agrees with its indexes after any sequence of events', () => {
    const event = fc.record({
      type: fc.constantFrom('put', 'remove'),
      name: fc.constantFrom('a', 'b', 'c'),
      color: fc.constantFrom('red', 'blue'),
      version: fc.integer({ min: 1, max: 30 }),
    })
    fc.assert(
      fc.property(fc.array(event, { maxLength: 50 }), (events) => {
        const { store } = make()
        for (const { type, name, color, version } of events) {
          if (type === 'put') store.put(thing(name, String(version), color))
          else store.remove(thing(name, String(version), color))
        }
        const all = [...store.values()]
        for (const color of ['red', 'blue']) {
          const names = (things: readonly Thing[]) => things.map(({ metadata }) => metadata.name).sort()
          assert.deepEqual(names(store.byIndex('color', color)), names(all.filter((object) => object.color === color)))
        }
        assert.equal(store.size, all.length)
      }),
    )
  })

  describe('after a list', () => {
    it('loses what the list did not have, in the listed namespace only', () => {
      const { store } = make()
      store.put(thing('listed', '5', 'red'))
      store.put(thing('unlisted', '6', 'red'))
      store.put({
        ...thing('elsewhere', '6', 'red'),
        metadata: { ...thing('elsewhere', '6', 'red').metadata, namespace: 'other' },
      })

      const gone = store.retain('ns', new Set(['uid-listed']), '10')

      assert.equal(gone, 1)
      assert.deepEqual(
        [...store.values()].map(({ metadata }) => metadata.name),
        ['listed', 'elsewhere'],
      )
    })

    it('keeps what we made after the list was taken', () => {
      const { store } = make()
      store.observe('ns/fresh', thing('fresh', '12', 'red'))

      store.retain('ns', new Set(), '10')

      assert.equal(store.get('ns/fresh')?.color, 'red')
    })
  })

  describe('with our own writes', () => {
    it('shows a write at once, and the watch cannot take it back', () => {
      const { store } = make()
      store.put(thing('a', '10', 'red'))
      store.observe('ns/a', thing('a', '12', 'blue'))
      store.put(thing('a', '11', 'green'))

      assert.equal(store.get('ns/a')?.color, 'blue')
    })

    it('waits for the watch when versions are no numbers', () => {
      const { store } = make()
      store.put(thing('a', 'x1', 'red'))
      store.observe('ns/a', thing('a', 'x2', 'blue'))
      assert.equal(store.get('ns/a')?.color, 'red')

      store.put(thing('a', 'x2', 'blue'))

      assert.equal(store.get('ns/a')?.color, 'blue')
    })

    it('does not bring back what we deleted by events from before, but shows it when it is still going', () => {
      const { store } = make()
      store.put(thing('a', '10', 'red'))
      store.forget('ns/a', 'uid-a')
      store.put(thing('a', '11', 'blue'))
      assert.equal(store.get('ns/a'), undefined)

      store.put(thing('a', '12', 'grey', 'uid-a', '2026-01-02T03:04:06Z'))
      assert.equal(store.get('ns/a')?.color, 'grey')

      store.remove(thing('a', '13', 'grey'))
      store.put(thing('a', '14', 'green', 'uid-of-the-next'))
      assert.equal(store.get('ns/a')?.color, 'green')
    })

    it('does not forget a namesake', () => {
      const { store } = make()
      store.put(thing('a', '10', 'red', 'second'))

      store.forget('ns/a', 'first')

      assert.equal(store.get('ns/a')?.color, 'red')
    })
  })

  it('compares versions as numbers of any size, and nothing else', () => {
    const big = fc.bigInt({ min: 1n, max: 10n ** 40n })
    fc.assert(fc.property(big, big, (a, b) => assert.equal(isOlder(String(a), String(b)), a < b)))
    for (const [a, b] of [
      ['', '1'],
      ['a', 'b'],
      ['01', '2'],
      ['1', '-2'],
      ['0', '1'],
    ] as const) {
      assert.equal(isOlder(a, b), false)
    }
  })
})
