/**
 * One job: look for tokens wherever they could have leaked to on this machine: command lines and environments of all its
 * processes, files of scan pods, logs, the findings store. Invariant: it tells what it looked at, so that having found
 * nothing means something.
 */
import { existsSync, globSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface HuntOptions {
  /** The tokens that exist now; asked at every round, since new ones are minted. */
  readonly tokens: () => Iterable<string>
  /** Folders on this machine whose files come and go, and may never hold one. */
  readonly fleeting: readonly string[]
  /** Folders and files that only grow; they are read once, at the end. */
  readonly lasting: readonly string[]
}

export interface Trail {
  /** Where a token was, without the token. */
  readonly sightings: Set<string>
  /** Processes of scan pods whose command line and environment were read, by program. */
  readonly programs: Set<string>
  /** Containers whose files were read. */
  readonly containers: Set<number>
  files: number
  /** Token files in the secrets of a clone container: where the token has to be, and the only place. */
  rightPlaces: number
}

export interface Hunt {
  readonly trail: Trail
  /** Ends it with a look at what lasts. May be called twice. */
  stop(): Promise<Trail>
}

/** The containers of a scan by the program that is their first process. */
const firstProcess = /\bscanfleet-(clone|scan)\b/
/** Seen from outside of the container, where its link from /var/run to /run leads astray. */
const secretsFolder = 'run/scanfleet'

const roundMs = 150

/** Looks again and again until it is stopped; the rounds follow each other closely, since clones are short. */
export function hunt(options: HuntOptions): Hunt {
  const trail: Trail = { sightings: new Set(), programs: new Set(), containers: new Set(), files: 0, rightPlaces: 0 }
  let stopped = false
  const rounds = (async () => {
    while (!stopped) {
      lookAround(options, trail)
      await sleep(roundMs)
    }
    for (const place of options.lasting) lookAtFiles(place, needlesOf(options.tokens()), trail)
  })()
  return {
    trail,
    async stop() {
      stopped = true
      await rounds
      return trail
    },
  }
}

/** The forms in which a token may lie around: as it is, and as Secrets and HTTP Basic write it. */
export function formsOf(tokens: Iterable<string>): readonly string[] {
  return [...tokens].flatMap((token) => [token, base64(token), base64(`x-access-token:${token}`), base64(`${token}:`)])
}

function needlesOf(tokens: Iterable<string>): readonly Buffer[] {
  return formsOf(tokens).map((form) => Buffer.from(form))
}

function base64(text: string): string {
  // The last characters depend on what follows.
  return Buffer.from(text).toString('base64').replace(/=*$/, '').slice(0, -2)
}

function lookAround({ tokens, fleeting }: HuntOptions, trail: Trail): void {
  const needles = needlesOf(tokens())
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  for (const pid of pids.map(Number)) lookAtProcess(pid, needles, trail)
  for (const place of fleeting) lookAtFiles(place, needles, trail)
}

function lookAtProcess(pid: number, needles: readonly Buffer[], trail: Trail): void {
  const command = read(`/proc/${pid}/cmdline`)
  const environment = read(`/proc/${pid}/environ`)
  const words = command.toString('latin1').split('\0')
  if (contains(command, needles)) trail.sightings.add(`argument of ${words[0]}`)
  if (contains(environment, needles)) trail.sightings.add(`environment of ${words[0]}`)
  const [program, kind] = firstProcess.exec(words.join(' ')) ?? []
  if (program !== undefined) trail.programs.add(program)
  // The pod's git carries settings of ours; that of the code host is another one.
  if (environment.includes('GIT_TERMINAL_PROMPT')) trail.programs.add(words.slice(0, 2).join(' '))
  if (kind !== undefined && existsSync(`/proc/${pid}/root/${secretsFolder}`))
    lookIntoContainer(pid, kind, needles, trail)
}

function lookIntoContainer(pid: number, kind: string, needles: readonly Buffer[], trail: Trail): void {
  const root = `/proc/${pid}/root`
  trail.containers.add(pid)
  for (const folder of ['workspace', 'tmp']) lookAtFiles(join(root, folder), needles, trail)
  for (const name of list(join(root, secretsFolder))) {
    const holds = contains(read(join(root, secretsFolder, name)), needles)
    if (holds && kind === 'clone' && name === 'token') trail.rightPlaces++
    else if (holds) trail.sightings.add(`secret ${name} of ${kind}`)
  }
}

function lookAtFiles(place: string, needles: readonly Buffer[], trail: Trail): void {
  for (const file of filesIn(place)) {
    trail.files++
    if (contains(read(file), needles)) trail.sightings.add(file.replace(/^\/proc\/\d+/, ''))
  }
}

function contains(content: Buffer, needles: readonly Buffer[]): boolean {
  return needles.some((needle) => content.includes(needle))
}

/** Things come and go while one looks at them. */
function read(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch {
    return Buffer.alloc(0)
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('..'))
  } catch {
    return []
  }
}

function filesIn(place: string): readonly string[] {
  try {
    if (statSync(place).isFile()) return [place]
    const entries = globSync('**/*', { cwd: place, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}
