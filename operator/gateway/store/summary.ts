/**
 * What the store remembers of a decision, and from which alone the status is written: the outbox must not need the
 * upload again. Read back through a schema, since an older version may have written it.
 */
import { z } from 'zod'
import type { FindingCounts } from '../../api/kinds.ts'
import { engineReportSchema, uploadSchema } from '../../scan/contract/result.ts'

const acceptedSummarySchema = z.object({
  outcome: z.literal('Accepted'),
  verdict: z.enum(['Clean', 'Findings', 'Blocked']),
  counts: z.custom<FindingCounts>((value) => typeof value === 'object' && value !== null),
  engines: z.array(engineReportSchema),
  evidence: uploadSchema.shape.evidence,
  /** False when the scan left the state of the repository's findings alone. */
  tracked: z.boolean(),
})

const refusedSummarySchema = z.object({
  outcome: z.literal('Refused'),
  reason: z.string(),
  message: z.string(),
})

export const scanSummarySchema = z.discriminatedUnion('outcome', [acceptedSummarySchema, refusedSummarySchema])

export type AcceptedSummary = z.infer<typeof acceptedSummarySchema>
export type ScanSummary = z.infer<typeof scanSummarySchema>
