/** Which repositories a selection means. Pure; used for discovery and for ManagedScans. */
import type { Repository } from './types.ts'

export interface RepositorySelection {
  /** Globs over full names; everything if absent or empty. */
  readonly include?: readonly string[] | undefined
  /** Globs that win over `include`. */
  readonly exclude?: readonly string[] | undefined
  /** At least one of them; any repository if absent or empty. */
  readonly topics?: readonly string[] | undefined
  readonly archived?: 'Exclude' | 'Include' | undefined
  readonly forks?: 'Exclude' | 'Include' | undefined
}

type Selectable = Pick<Repository, 'fullName' | 'topics' | 'archived' | 'fork'>

/** A predicate for the selection. Archived repositories and forks are left out unless they are included. */
export function selector(selection: RepositorySelection): (repository: Selectable) => boolean {
  const include = (selection.include ?? []).map(globToRegExp)
  const exclude = (selection.exclude ?? []).map(globToRegExp)
  const topics = new Set((selection.topics ?? []).map((topic) => topic.toLowerCase()))
  return (repository) => {
    if (repository.archived && selection.archived !== 'Include') return false
    if (repository.fork && selection.forks !== 'Include') return false
    if (topics.size > 0 && !repository.topics.some((topic) => topics.has(topic.toLowerCase()))) return false
    if (exclude.some((glob) => glob.test(repository.fullName))) return false
    return include.length === 0 || include.some((glob) => glob.test(repository.fullName))
  }
}

/** For a single question; whoever asks for many repositories makes one `selector`. */
export function isSelected(repository: Selectable, selection: RepositorySelection): boolean {
  return selector(selection)(repository)
}

/**
 * `*` stands for any characters within one segment of the path, `**` also across segments, `?` for one character.
 * Upper and lower case are the same, as they are at the code hosts.
 */
export function globToRegExp(glob: string): RegExp {
  const pattern = glob
    // Stars in a row beyond two mean nothing more, and would make matching slow.
    .replace(/\*{2,}/g, '**')
    .replace(/\*\*|\*|\?|[^*?]+/g, (part) => {
      if (part === '**') return '.*'
      if (part === '*') return '[^/]*'
      if (part === '?') return '[^/]'
      return part.replace(/[.+^${}()|[\]\\]/g, '\\$&')
    })
  return new RegExp(`^${pattern}$`, 'isu')
}
