/**
 * Runs one child process with bounds on time and output. Invariants: the child sees only the environment that is
 * passed; when this returns, the child and everything in its process group has ended.
 */
import { type ChildProcess, spawn } from 'node:child_process'

export type ProcessRequest = {
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly workingDirectory: string
  readonly timeoutMilliseconds: number
  /** Standard output beyond this many bytes ends the child. */
  readonly outputBytes: number
  readonly input?: Uint8Array
  readonly signal?: AbortSignal
  /** Called with every piece of standard output instead of collecting it; returning false ends the child. */
  readonly onOutput?: (chunk: Buffer) => boolean
}

export type ProcessResult = {
  /** 128 + signal number when a signal ended the child, as a shell says it. */
  readonly exitCode: number
  readonly stdout: Buffer
  /** The last 64 KiB. */
  readonly stderr: string
  /** Why we ended the child ourselves, if we did. */
  readonly ended: 'timeout' | 'output' | 'aborted' | 'consumer' | undefined
  readonly milliseconds: number
}

const stderrBytes = 64 * 1024

/** Runs to the end. Rejects only when the program could not be started. */
export function runProcess(request: ProcessRequest): Promise<ProcessResult> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const child = spawn(request.file, [...request.args], {
      cwd: request.workingDirectory,
      env: { ...request.environment },
      // Its own process group, so that a helper of the child cannot outlive it.
      detached: true,
      stdio: [request.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    let ended: ProcessResult['ended']
    const end = (why: NonNullable<ProcessResult['ended']>): void => {
      ended ??= why
      killGroup(child)
    }
    const timer = setTimeout(end, request.timeoutMilliseconds, 'timeout')
    const onAbort = (): void => end('aborted')
    request.signal?.addEventListener('abort', onAbort)
    if (request.signal?.aborted) onAbort()

    const output: Buffer[] = []
    let outputSize = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      if (ended !== undefined) return
      if (request.onOutput) {
        if (!request.onOutput(chunk)) end('consumer')
        return
      }
      outputSize += chunk.length
      if (outputSize > request.outputBytes) end('output')
      else output.push(chunk)
    })
    let errors = Buffer.alloc(0)
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = Buffer.concat([errors, chunk]).subarray(-stderrBytes)
    })
    if (request.input !== undefined) {
      // A child that ends early closes its input; its exit code says why.
      child.stdin?.on('error', () => undefined)
      child.stdin?.end(request.input)
    }
    const settle = (): void => {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', onAbort)
    }
    child.on('error', (error) => {
      settle()
      reject(error)
    })
    child.on('close', (code, signal) => {
      settle()
      killGroup(child)
      resolve({
        exitCode: code ?? 128 + signalNumber(signal),
        stdout: Buffer.concat(output),
        stderr: errors.toString('utf8'),
        ended,
        milliseconds: performance.now() - startedAt,
      })
    })
  })
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // The group has ended already.
  }
}

function signalNumber(signal: NodeJS.Signals | null): number {
  return signal === 'SIGKILL' ? 9 : signal === 'SIGTERM' ? 15 : signal === 'SIGSEGV' ? 11 : signal === 'SIGABRT' ? 6 : 1
}
