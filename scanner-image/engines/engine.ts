/**
 * What every engine is to the scan step: how to run it, what its exit codes mean, and its findings in one vocabulary.
 * Invariant: an engine whose rules or database are missing throws `ScannerIncomplete`; it never reports "no findings".
 */
import type { Product } from '../../operator/scan/contract/plan.ts'
import type { EngineReport, Severity } from '../../operator/scan/contract/result.ts'
import type { SarifResult } from '../../operator/scan/contract/sarif.ts'

export type Finding = {
  readonly ruleId: string
  readonly severity: Severity
  readonly message: string
  /** Relative to the checkout, as the engine names it. */
  readonly path: string
  readonly region: {
    readonly startLine: number
    readonly startColumn?: number | undefined
    readonly endLine?: number | undefined
    readonly endColumn?: number | undefined
  }
  /**
   * What stands for the finding in its fingerprint besides rule and path. Undefined: the source text of the region.
   * Never a secret.
   */
  readonly identity?: string
  /** False when the source text of the region must not leave the pod. */
  readonly showSource: boolean
  readonly cwe?: readonly string[]
  readonly package?: NonNullable<SarifResult['properties']['package']>
  readonly secret?: NonNullable<SarifResult['properties']['secret']>
}

export type Rule = {
  readonly id: string
  readonly description: string
  readonly helpUri?: string
  readonly tags?: readonly string[]
}

export type EngineData = {
  /** SHA-256, hex, over the rules or the database. */
  readonly digest: string
  readonly date?: Date
}

export type EngineRequest = {
  /** Absolute path of the work tree; read-only. */
  readonly checkout: string
  /** An empty folder of this run's own, for HOME and temporary files. */
  readonly scratch: string
  readonly timeoutMilliseconds: number
  readonly signal: AbortSignal
  readonly mode: 'Native' | 'Classic'
  /** When true, ignore files and comments of the repository count, as the engine itself understands them. */
  readonly obeyRepository: boolean
}

export type EngineOutcome = {
  readonly exitCode: number
  readonly findings: readonly Finding[]
  readonly rules: readonly Rule[]
  readonly notice?: string
  /**
   * Values that no text of the result may hold, each with what stands in its place. They stay in memory, and they are
   * the reason that every text is masked before it leaves the scan.
   */
  readonly confidential?: readonly { readonly value: string; readonly preview: string }[]
}

export type Engine = {
  readonly name: EngineReport['name']
  readonly product: Product
  readonly informationUri: string
  /** Identity of rules or database. @throws ScannerFailure ScannerIncomplete */
  readonly readData: () => Promise<EngineData>
  /** @throws ScannerFailure ScannerIncomplete, EngineFailed, EngineTimedOut */
  readonly run: (request: EngineRequest) => Promise<EngineOutcome>
  /** Whether the repository may have asked to hide one of these findings; a second, obeying run then tells which. */
  readonly mayBeSuppressed: (findings: readonly Finding[], source: SourceTree) => Promise<boolean>
}

/** Read access to the work tree. */
export type SourceTree = {
  readonly root: string
  /** Whether a regular file of that relative path exists. */
  readonly has: (path: string) => Promise<boolean>
  /** Lines `from` to `to` (1-based, inclusive) of a file, or undefined when it cannot be read. */
  readonly lines: (path: string, from: number, to: number) => Promise<readonly string[] | undefined>
}

/** Where engines, rules and database lie in the image. */
export type ImagePaths = {
  readonly semgrepCore: string
  readonly semgrepPython: string
  readonly gitleaks: string
  readonly osvScanner: string
  readonly rules: string
  readonly gitleaksConfig: string
  readonly advisories: string
}
