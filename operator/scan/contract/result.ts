/**
 * The document that a scan pod uploads, gzip-compressed JSON, with its one-time token as Bearer credential, to
 * `POST /api/v1/scans/{uid}/{attempt}/result` of the gateway. Everything in it was made next to hostile code:
 * the gateway bounds and validates it again, and takes the identity from the token, never from the document.
 */
import { z } from 'zod'
import { productSchema } from './plan.ts'

/** Bounds of an upload. Bytes are counted while reading, before and after decompression. */
export const resultLimits = {
  compressedBytes: 16 * 1024 * 1024,
  bytes: 32 * 1024 * 1024,
  depth: 32,
  findings: 10_000,
  rules: 5_000,
} as const

export const severityNames = ['Critical', 'High', 'Medium', 'Low'] as const
export const severitySchema = z.enum(severityNames)
export type Severity = z.infer<typeof severitySchema>

/** A path relative to the repository's root: no leading slash, no `..`, no NUL or control characters. */
export const repositoryPath = z
  .string()
  .min(1)
  .max(4096)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this refuses
  .regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\x00-\x1f\x7f\\]+$/u, 'a relative path inside the repository')

export const engineReportSchema = z.object({
  name: z.enum(['semgrep', 'gitleaks', 'osv-scanner']),
  version: z.string().max(64),
  product: productSchema,
  exitCode: z.int(),
  milliseconds: z.number().nonnegative(),
  /** SHA-256 of the rules or of the advisory database, hex; with the database's date where it has one. */
  rulesDigest: z.string().regex(/^[0-9a-f]{64}$/),
  rulesDate: z.iso.datetime().optional(),
  /** Findings that the repository itself asked to hide, whether or not that was honoured. */
  suppressed: z.int().nonnegative(),
  /** Why a product found nothing to look at, e.g. "no lockfile of a supported ecosystem". */
  notice: z.string().max(500).optional(),
})

export type EngineReport = z.infer<typeof engineReportSchema>

export const uploadSchema = z.object({
  version: z.literal(1),
  commit: z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/),
  engines: z.array(engineReportSchema).min(1).max(8),
  evidence: z.object({
    fenceProvenAt: z.iso.datetime().optional(),
    cloneStartedAt: z.iso.datetime(),
    cloneEndedAt: z.iso.datetime(),
    scanEndedAt: z.iso.datetime(),
    files: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
    skipped: z.object({ submodules: z.int(), lfsPointers: z.int(), symlinks: z.int() }),
  }),
  /** One merged SARIF 2.1.0 log with one run per engine; validated separately by `operator/report/sarif`. */
  sarif: z.unknown(),
})

export type Upload = z.infer<typeof uploadSchema>
