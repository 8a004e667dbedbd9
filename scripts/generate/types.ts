/** Writes `operator/api/generated/<kind>.ts` from the CRDs, which are the source of the API. Run by `make generate`. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compile } from 'json-schema-to-typescript'
import { parse } from 'yaml'

const root = join(import.meta.dirname, '..', '..')
const target = join(root, 'operator', 'api', 'generated')

interface Schema {
  [key: string]: unknown
  type?: string
  properties?: Record<string, Schema>
  items?: Schema
  required?: string[]
  default?: unknown
  additionalProperties?: Schema | boolean
}

/**
 * A field with a default is always there in what the API server returns, so it is required for readers.
 * Bounds stay in the schema: as TypeScript types, `maxItems` would become unreadable tuples.
 */
function toReaderSchema(schema: Schema): Schema {
  const { maxItems: _maxItems, minItems: _minItems, ...rest } = schema
  const result: Schema = rest
  if (schema.properties) {
    const entries = Object.entries(schema.properties)
    result.properties = Object.fromEntries(entries.map(([name, value]) => [name, toReaderSchema(value)]))
    const defaulted = entries.filter(([, value]) => value.default !== undefined).map(([name]) => name)
    result.required = [...new Set([...(schema.required ?? []), ...defaulted])]
    result.additionalProperties = false
  }
  if (schema.items) result.items = toReaderSchema(schema.items)
  return result
}

await mkdir(target, { recursive: true })
for (const file of (await readdir(join(root, 'crds'))).sort()) {
  const definition = parse(await readFile(join(root, 'crds', file), 'utf8'))
  const kind: string = definition.spec.names.kind
  const schema: Schema = definition.spec.versions[0].schema.openAPIV3Schema
  const { spec, status } = schema.properties ?? {}
  if (!spec || !status) throw new Error(`${file} needs spec and status`)
  const source = await compile(
    toReaderSchema({ type: 'object', properties: { spec, status }, required: ['spec'] }) as never,
    `${kind}Fields`,
    {
      bannerComment: `/** Generated from crds/${file} by \`make generate\`. Do not edit. */`,
      style: { singleQuote: true, semi: false },
    },
  )
  const name = file.replace(/\.yaml$/, '')
  await writeFile(join(target, `${name}.ts`), source)
}
