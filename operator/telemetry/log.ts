/**
 * JSON logs, one line for each event, with constant messages and fields. Invariant: every line passes the redactor, and
 * errors are reduced to name, message, code and stack, so that no request or answer comes along.
 */
import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import type { Redactor } from './redact.ts'

export type { Logger } from 'pino'

export interface LogOptions {
  readonly level: string
  readonly redactor: Redactor
  /** Fields of every line, such as the name of the process. */
  readonly base?: Readonly<Record<string, unknown>>
  /** Standard output if absent. */
  readonly output?: DestinationStream
}

export function createLogger(options: LogOptions): Logger {
  const output = options.output ?? destination({ dest: 1, sync: true })
  return pino(
    {
      level: options.level,
      base: options.base ?? {},
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    { write: (line: string) => output.write(options.redactor.redact(line)) },
  )
}

interface ErrorDescription {
  readonly name: string
  readonly message: string
  readonly code?: string | number
  readonly status?: number
  readonly reason?: string
  readonly stack?: string
  readonly cause?: ErrorDescription
}

const deepestCause = 4

/** An error in a fixed set of fields; libraries hang requests with headers and bodies onto theirs. */
export function describeError(error: unknown, depth = 0): ErrorDescription {
  if (!(error instanceof Error)) return { name: 'Thrown', message: String(error) }
  const { code, status, reason } = error as { code?: unknown; status?: unknown; reason?: unknown }
  return {
    name: error.name,
    message: error.message,
    ...((typeof code === 'string' || typeof code === 'number') && { code }),
    ...(typeof status === 'number' && { status }),
    ...(typeof reason === 'string' && { reason }),
    ...(error.stack !== undefined && depth === 0 && { stack: error.stack }),
    ...(error.cause !== undefined && depth < deepestCause && { cause: describeError(error.cause, depth + 1) }),
  }
}
