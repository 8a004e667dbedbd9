/** Specification of the schemas in `crds/`: every field explains itself and everything that can grow has a bound. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { parse } from 'yaml'

interface Schema {
  readonly type?: string
  readonly description?: string
  readonly format?: string
  readonly enum?: readonly string[]
  readonly maxLength?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly additionalProperties?: Schema
  readonly 'x-kubernetes-validations'?: readonly { readonly rule: string; readonly message?: string }[]
}

interface Place {
  readonly path: string
  readonly schema: Schema
  /** Whether the schema is a field of its own; the element of a list or a map is described with the list. */
  readonly isField: boolean
}

/** Every schema inside, with its path. The API server knows what metadata is, and describes it itself. */
function* walk(schema: Schema, path: string, isField: boolean): Generator<Place> {
  yield { path, schema, isField }
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (path !== '' || name !== 'metadata') yield* walk(field, `${path}.${name}`, true)
  }
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`, false)
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}{}`, false)
}

const folder = join(import.meta.dirname, '../../../crds')
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'))

describe('the schemas', () => {
  it('are there for all four kinds', () => {
    assert.equal(files.length, 4)
  })

  for (const file of files) {
    const definition = parse(readFileSync(join(folder, file), 'utf8'))
    const [version] = definition.spec.versions
    const places = [...walk(version.schema.openAPIV3Schema, '', true)]
    const wrong = (problem: (place: Place) => boolean) => places.filter(problem).map(({ path }) => path)

    describe(file, () => {
      it('says a sentence about every field', () => {
        const silent = wrong(({ schema, isField }) => isField && !/^\S.*\.$/s.test(schema.description ?? ''))
        assert.deepEqual(silent, [])
      })

      it('bounds every string', () => {
        const bounded = ({ maxLength, format, enum: values }: Schema) => (maxLength ?? format ?? values) !== undefined
        const isIdentity = (path: string) => path === '.apiVersion' || path === '.kind'
        assert.deepEqual(
          wrong(({ path, schema }) => schema.type === 'string' && !isIdentity(path) && !bounded(schema)),
          [],
        )
      })

      it('bounds every list and every map', () => {
        assert.deepEqual(
          wrong(({ schema }) => schema.type === 'array' && schema.maxItems === undefined),
          [],
        )
        const isMap = ({ schema }: Place) => schema.additionalProperties !== undefined
        assert.deepEqual(
          wrong((place) => isMap(place) && place.schema.maxProperties === undefined),
          [],
        )
      })

      it('gives every rule a sentence of its own', () => {
        const rules = places.flatMap(({ schema }) => schema['x-kubernetes-validations'] ?? [])
        assert.deepEqual(
          rules.filter(({ message }) => (message ?? '').length < 20),
          [],
        )
      })

      it('keeps status out of reach of manifests and has conditions in it', () => {
        assert.deepEqual(version.subresources, { status: {} })
        const conditions = places.find(({ path }) => path === '.status.conditions')?.schema
        assert.equal((conditions as Record<string, unknown> | undefined)?.['x-kubernetes-list-type'], 'map')
      })

      it('has a short name, a category and columns', () => {
        const { shortNames, categories } = definition.spec.names
        assert.equal(shortNames.length, 1)
        assert.deepEqual(categories, ['scanfleet'])
        assert.ok(version.additionalPrinterColumns.some((column: { name: string }) => column.name === 'Age'))
      })
    })
  }
})
