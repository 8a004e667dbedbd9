/**
 * The subset of SARIF 2.1.0 that a scan pod uploads: what the engines said, normalised. Unknown members are dropped.
 * Severity, product and fingerprint are always there, so that no reader has to guess them from an engine's habits.
 */
import { z } from 'zod'
import { productSchema } from './plan.ts'
import { repositoryPath, resultLimits, severitySchema } from './result.ts'

/** Key of our fingerprint in `partialFingerprints`: 64 hex digits that do not depend on line numbers. */
export const fingerprintKey = 'scanfleet/v1'

const line = z.int().min(1).max(10_000_000)

const regionSchema = z.object({
  startLine: line,
  startColumn: line.optional(),
  endLine: line.optional(),
  endColumn: line.optional(),
  /** The matched source text, shortened; absent for secrets. */
  snippet: z.object({ text: z.string().max(2000) }).optional(),
})

export const sarifResultSchema = z.object({
  ruleId: z.string().min(1).max(256),
  level: z.enum(['none', 'note', 'warning', 'error']),
  message: z.object({ text: z.string().min(1).max(4000) }),
  locations: z
    .array(
      z.object({
        physicalLocation: z.object({ artifactLocation: z.object({ uri: repositoryPath }), region: regionSchema }),
      }),
    )
    .length(1),
  partialFingerprints: z.object({ [fingerprintKey]: z.string().regex(/^[0-9a-f]{64}$/) }),
  properties: z.object({
    product: productSchema,
    severity: severitySchema,
    cwe: z
      .array(z.string().regex(/^CWE-\d{1,5}$/))
      .max(20)
      .optional(),
    /** Supply chain: what is vulnerable, by which advisory, and the first version that is not. */
    package: z
      .object({
        ecosystem: z.string().max(64),
        name: z.string().max(512),
        version: z.string().max(256),
        advisories: z.array(z.string().max(64)).max(50),
        fixedVersion: z.string().max(256).optional(),
      })
      .optional(),
    /** Secrets: SHA-256 of the value salted with the rule, and a preview such as `ghp_…9f`. Never the value. */
    secret: z.object({ digest: z.string().regex(/^[0-9a-f]{64}$/), preview: z.string().max(64) }).optional(),
  }),
})

export type SarifResult = z.infer<typeof sarifResultSchema>

export const sarifRuleSchema = z.object({
  id: z.string().min(1).max(256),
  shortDescription: z.object({ text: z.string().max(1000) }).optional(),
  fullDescription: z.object({ text: z.string().max(8000) }).optional(),
  help: z.object({ text: z.string().max(8000) }).optional(),
  helpUri: z
    .url({ protocol: /^https$/ })
    .max(2048)
    .optional(),
  properties: z.object({ tags: z.array(z.string().max(256)).max(20).optional() }).optional(),
})

export const sarifLogSchema = z.object({
  version: z.literal('2.1.0'),
  runs: z
    .array(
      z.object({
        tool: z.object({
          driver: z.object({
            name: z.string().max(64),
            version: z.string().max(64).optional(),
            informationUri: z.url({ protocol: /^https$/ }).optional(),
            /** Only rules that have a result in this run. */
            rules: z.array(sarifRuleSchema).max(resultLimits.rules),
          }),
        }),
        results: z.array(sarifResultSchema).max(resultLimits.findings),
      }),
    )
    .max(8),
})

export type SarifLog = z.infer<typeof sarifLogSchema>
