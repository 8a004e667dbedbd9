/** Writes `charts/scanfleet/README.md`: every value with its default and its meaning, from the schema. Run by `make generate`. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

const chart = join(import.meta.dirname, '..', '..', 'charts', 'scanfleet')

interface Schema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
}

const schema: Schema = JSON.parse(await readFile(join(chart, 'values.schema.json'), 'utf8'))
const defaults: unknown = parse(await readFile(join(chart, 'values.yaml'), 'utf8'))

/** One row for each value that has no values below it. */
function rows(node: Schema, given: unknown, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([name, child]) => {
    const at = path === '' ? name : `${path}.${name}`
    const value = (given as Record<string, unknown> | null | undefined)?.[name]
    if (child.properties) return rows(child, value, at)
    if (value === undefined) return []
    return [`| \`${at}\` | \`${JSON.stringify(value)}\` | ${child.description} |`]
  })
}

const text = `# The chart scanfleet

Generated from \`values.schema.json\` and \`values.yaml\` by \`make generate\`. Do not edit.
How to install, and what to think of before: [docs/install.md](../../docs/install.md).

| Value | Default | Meaning |
|---|---|---|
${rows(schema, defaults, '').join('\n')}
`
await writeFile(join(chart, 'README.md'), text)
