/** Runs programs for the builds: output is collected, or shown to the person who waits. Failing programs throw. */
import { spawn } from 'node:child_process'

export type CommandOptions = {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Show the program's output on standard error instead of returning it. */
  readonly show?: boolean
  readonly timeoutMilliseconds?: number
}

/** Standard output, trimmed. @throws Error with the end of standard error */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', options.show ? 2 : 'pipe', options.show ? 2 : 'pipe'],
      ...(options.timeoutMilliseconds !== undefined && { timeout: options.timeoutMilliseconds }),
    })
    const output: Buffer[] = []
    let errors = ''
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4000)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(output).toString().trim())
      else reject(new Error(`${file} ${args.slice(0, 3).join(' ')} ended with ${signal ?? code}: ${errors.trim()}`))
    })
  })
}

/** Whether a program ran to its end without an error. */
export async function succeeds(file: string, args: readonly string[], options: CommandOptions = {}): Promise<boolean> {
  return await run(file, args, options).then(
    () => true,
    () => false,
  )
}
