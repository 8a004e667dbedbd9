/** The query of a list of findings, checked, and the cursor that leads from page to page. */
import { z } from 'zod'
import { productSchema } from '../../scan/contract/plan.ts'
import { severitySchema } from '../../scan/contract/result.ts'
import { ProblemError } from '../problem.ts'
import type { ListedFinding, Position } from '../store/queries.ts'

const positionSchema = z.object({ rank: z.int().min(0).max(3), id: z.string().max(64) })

const cursor = z
  .string()
  .max(256)
  .transform((text, context): Position => {
    const parsed = positionSchema.safeParse(parseJson(Buffer.from(text, 'base64url').toString()))
    if (parsed.success) return parsed.data
    context.addIssue({ code: 'custom', message: 'a cursor of an earlier page' })
    return z.NEVER
  })

export const kubernetesName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, 'a Kubernetes name')

const querySchema = z.strictObject({
  namespace: kubernetesName.optional(),
  repository: z.string().min(1).max(512).optional(),
  product: productSchema.optional(),
  severity: severitySchema.optional(),
  /** `All` lists findings of every state. */
  state: z.enum(['Open', 'Fixed', 'Elsewhere', 'All']).default('Open'),
  rule: z.string().min(1).max(256).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: cursor.optional(),
})

export type FindingsQuery = z.infer<typeof querySchema>

export function readQuery(query: unknown): FindingsQuery {
  const parsed = querySchema.safeParse(query)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const detail = issue ? [issue.path.join('.'), issue.message].filter((part) => part !== '').join(': ') : 'bad query'
  throw new ProblemError({ status: 400, reason: 'BadQuery', detail })
}

export function cursorAfter({ severity_rank: rank, id }: ListedFinding): string {
  return Buffer.from(JSON.stringify({ rank, id } satisfies Position)).toString('base64url')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
