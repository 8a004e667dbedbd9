/** One job: run kubectl and helm against the one cluster that the demo was told to use, never the current context. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'

export interface Access {
  readonly kubectl: string
  readonly helm: string
  /** Path of a kubeconfig; the usual places if absent. */
  readonly kubeconfig?: string
  readonly context: string
}

function kubectlArguments({ kubeconfig, context }: Access): string[] {
  return [...(kubeconfig ? ['--kubeconfig', kubeconfig] : []), '--context', context]
}

/** The command line that a person can repeat. */
export function spoken(access: Access): string {
  return [access.kubectl, ...kubectlArguments(access)].join(' ')
}

/** Standard output of kubectl. @throws with its standard error. */
export function kubectl(access: Access, args: readonly string[], input?: string): Promise<string> {
  return execute(access.kubectl, [...kubectlArguments(access), ...args], input)
}

/** The parsed answer of `kubectl … -o json`. */
export async function kubectlJson(access: Access, args: readonly string[]): Promise<unknown> {
  return JSON.parse(await kubectl(access, [...args, '-o', 'json']))
}

export function helm(access: Access, args: readonly string[]): Promise<string> {
  const { kubeconfig, context } = access
  return execute(access.helm, [...args, ...(kubeconfig ? ['--kubeconfig', kubeconfig] : []), '--kube-context', context])
}

/** A kubectl that keeps running, such as port-forward; the caller ends it. */
export function kubectlInBackground(access: Access, args: readonly string[]): ChildProcess {
  return spawn(access.kubectl, [...kubectlArguments(access), ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs a program to its end. @throws its name and the end of its standard error. */
export function execute(program: string, args: readonly string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: 256 << 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${program} ${args.join(' ')}:\n${(stderr.trim() || error.message).slice(-2000)}`))
      else resolve(stdout)
    })
    child.stdin?.on('error', () => undefined) // it may end without reading; its exit code says what happened
    child.stdin?.end(input)
  })
}
