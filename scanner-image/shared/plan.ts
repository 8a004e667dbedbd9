/**
 * Reads the plan that the controller handed over. Invariant: nothing of the plan is used before its schema accepted it.
 */
import type { z } from 'zod'
import { planVariable } from '../../operator/scan/contract/plan.ts'
import { ScannerFailure } from './failure.ts'

/** The plan from the environment. @throws ScannerFailure PlanInvalid */
export function readPlan<Schema extends z.ZodType>(schema: Schema, environment: NodeJS.ProcessEnv): z.output<Schema> {
  const text = environment[planVariable]
  if (text === undefined) throw new ScannerFailure('PlanInvalid', `The variable ${planVariable} is not set.`)
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new ScannerFailure('PlanInvalid', `The variable ${planVariable} holds no JSON.`, { cause })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const places = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)
  throw new ScannerFailure('PlanInvalid', `The plan does not fit its schema: ${places.join('; ')}`)
}
