/**
 * git with the settings that a hostile repository and a hostile host call for. Invariants: no configuration but ours
 * is read, only HTTPS is spoken and no redirect followed, no hook, filter, submodule or helper of the repository runs,
 * and the credential reaches git by a helper that reads a file: it is never an argument, an environment variable, part
 * of a URL or of a stored configuration.
 */
import { type ProcessRequest, type ProcessResult, runProcess } from '../shared/process.ts'

export type GitSettings = {
  readonly gitDirectory: string
  readonly url: string
  readonly username: string
  /** Path of the file with the password; undefined for an anonymous fetch. */
  readonly tokenFile: string | undefined
  readonly caFile: string | undefined
  /** Program that answers git's credential protocol from `tokenFile`. */
  readonly credentialHelper: string
}

export type Git = (
  args: readonly string[],
  options: Pick<ProcessRequest, 'timeoutMilliseconds'> & Partial<ProcessRequest>,
) => Promise<ProcessResult>

/** The attributes of this tree count instead of those of the repository, whose encodings and filters could hide code. */
export const emptyTree = {
  sha1: '4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  sha256: '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321',
} as const

/** A function that runs one git command under `settings`. */
export function createGit(settings: GitSettings, objectFormat: 'sha1' | 'sha256'): Git {
  const environment = gitEnvironment(settings, objectFormat)
  return (args, options) =>
    runProcess({
      file: 'git',
      args,
      environment,
      workingDirectory: '/',
      outputBytes: 16 * 1024 * 1024,
      ...options,
    })
}

/** Exported for the test that pins every line. */
export function gitEnvironment(settings: GitSettings, objectFormat: 'sha1' | 'sha256'): Record<string, string> {
  const origin = new URL(settings.url).origin
  const configuration: [string, string][] = [
    ['core.hooksPath', '/dev/null'],
    ['core.symlinks', 'false'],
    ['core.fsmonitor', 'false'],
    ['core.attributesFile', '/dev/null'],
    ['core.excludesFile', '/dev/null'],
    ['core.autocrlf', 'false'],
    // Large blobs are streamed instead of held in memory, so a small pack cannot blow up to more than the pod may use.
    ['core.bigFileThreshold', '16m'],
    ['protocol.allow', 'never'],
    ['protocol.https.allow', 'always'],
    ['safe.bareRepository', 'explicit'],
    ['transfer.bundleURI', 'false'],
    ['transfer.fsckObjects', 'true'],
    // Old, harmless mistakes of old clients; everything else that fsck calls an error stays one.
    ['fetch.fsck.zeroPaddedFilemode', 'ignore'],
    ['fetch.fsck.badTimezone', 'ignore'],
    ['fetch.fsck.missingSpaceBeforeDate', 'ignore'],
    ['fetch.fsck.missingSpaceBeforeEmail', 'ignore'],
    ['fetch.recurseSubmodules', 'false'],
    ['submodule.recurse', 'false'],
    ['gc.auto', '0'],
    ['maintenance.auto', 'false'],
    ['http.followRedirects', 'false'],
    ['http.sslVerify', 'true'],
    ['http.lowSpeedLimit', '1000'],
    ['http.lowSpeedTime', '60'],
    ['http.userAgent', 'scanfleet'],
    ['credential.helper', ''],
  ]
  if (settings.caFile !== undefined) configuration.push(['http.sslCAInfo', settings.caFile])
  if (settings.tokenFile !== undefined) {
    // Named by origin: no other host is ever offered the credential. Sent at once, which saves a round trip.
    configuration.push(['http.proactiveAuth', 'basic'], [`credential.${origin}.helper`, settings.credentialHelper])
  }
  const environment: Record<string, string> = {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    LANGUAGE: 'C',
    GIT_DIR: settings.gitDirectory,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ATTR_SOURCE: emptyTree[objectFormat],
    GIT_ALLOW_PROTOCOL: 'https',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: '/bin/false',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_LFS_SKIP_SMUDGE: '1',
    SCANFLEET_USERNAME: settings.username,
    GIT_CONFIG_COUNT: String(configuration.length),
  }
  if (settings.tokenFile !== undefined) environment['SCANFLEET_TOKEN_FILE'] = settings.tokenFile
  for (const [index, [key, value]] of configuration.entries()) {
    environment[`GIT_CONFIG_KEY_${index}`] = key
    environment[`GIT_CONFIG_VALUE_${index}`] = value
  }
  return environment
}
