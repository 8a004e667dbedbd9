/** Short words for what the contract tests ask for. */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { ConnectionReason } from '../../operator/api/conditions.ts'
import { type Repository, type Scm, ScmError, type ScmSubject } from '../../operator/scm/types.ts'
import type { Host } from './hosts.ts'

/** No test takes this long; one that does hangs. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(60_000)
}

/** The understood failure with which the work ends. It never shows a secret. */
export async function failure(host: Host, work: Promise<unknown>): Promise<ScmError> {
  const error = await work.then(
    () => assert.fail('the call succeeded'),
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof ScmError)) throw error
  const text = `${inspect(error, { depth: 10, showHidden: true })} ${error.stack} ${JSON.stringify(error)}`
  for (const secret of host.secrets()) assert.ok(!text.includes(secret), 'a secret stands in the error')
  return error
}

export async function failsWith(
  host: Host,
  work: Promise<unknown>,
  reason: ConnectionReason,
  text?: RegExp,
): Promise<ScmError> {
  const error = await failure(host, work)
  assert.equal(error.reason, reason, error.message)
  if (text) assert.match(error.message, text)
  return error
}

export async function failsAbout(host: Host, work: Promise<unknown>, subject: ScmSubject): Promise<void> {
  const error = await failure(host, work)
  assert.equal(error.subject, subject, error.message)
}

export async function listAll(scm: Scm): Promise<Repository[]> {
  const all: Repository[] = []
  for await (const page of scm.listRepositories(soon())) all.push(...page.repositories)
  return all
}

export async function repositoryNamed(scm: Scm, fullName: string): Promise<Repository> {
  const found = (await listAll(scm)).find((repository) => repository.fullName === fullName)
  return found ?? assert.fail(`${fullName} is not listed`)
}
