/**
 * Writes the CRDs of `crds/` into the chart as templates, since helm never upgrades a chart's own `crds/` folder. Run by
 * `make generate`. Invariant: what helm renders is the file of `crds/` word for word, with one annotation when they are kept.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..', '..')
const target = join(root, 'charts', 'scanfleet', 'templates', 'crds')

/** A helm template that renders to the given CRD. @throws when the file does not begin as a CRD of ours does. */
function toTemplate(file: string, definition: string): string {
  const literal = definition.replaceAll('{{', '{{ "{{" }}')
  const body = literal.replace(/^metadata:\n( {2}annotations:\n)?/m, (_match, annotations?: string) =>
    annotations
      ? `metadata:\n  annotations:\n{{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n{{- end }}\n`
      : `metadata:\n{{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n{{- end }}\n`,
  )
  if (body === literal) throw new Error(`${file} has no metadata at its top level`)
  return `# Generated from crds/${file} by \`make generate\`. Do not edit.\n{{- if .Values.crds.install }}\n${body.trimEnd()}\n{{- end }}\n`
}

await rm(target, { recursive: true, force: true })
await mkdir(target, { recursive: true })
for (const file of (await readdir(join(root, 'crds'))).sort()) {
  await writeFile(join(target, file), toTemplate(file, await readFile(join(root, 'crds', file), 'utf8')))
}
