/**
 * The plans that the controller hands to the two containers of a scan pod, as JSON in one environment variable each.
 * They hold no secret: secrets and certificates are files of the scan's own Secret, and a plan names their paths.
 */
import { z } from 'zod'

export const planVariable = 'SCANFLEET_PLAN'

/** Where things lie inside the pod. The clone container sees the workspace writable, the scan container read-only. */
export const podPaths = {
  workspace: '/workspace',
  /** The work tree, without `.git`. */
  checkout: '/workspace/checkout',
  /** The object database, used by scans of a difference. */
  gitDir: '/workspace/git',
  /** Written last and atomically by `clone`, awaited by `scan`. Outside of the checkout, so no repository can forge it. */
  handover: '/workspace/handover.json',
  /** The scan's Secret; every container is given only the keys that it needs. */
  secrets: '/var/run/scanfleet',
} as const

/** Keys of the scan's Secret. `token` is mounted into `clone` only, `upload-token` into `scan` only. */
export const secretKeys = {
  token: 'token',
  uploadToken: 'upload-token',
  codeHostCa: 'code-host-ca.crt',
  gatewayCa: 'gateway-ca.crt',
} as const

const commit = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/)
const endpoint = z.object({ host: z.string().min(1).max(253), port: z.int().min(1).max(65535) })

export const productNames = ['Code', 'SupplyChain', 'Secrets'] as const
export const productSchema = z.enum(productNames)
export type Product = z.infer<typeof productSchema>

export const clonePlanSchema = z.object({
  /** https URL without credentials. */
  url: z.string().startsWith('https://').max(2048),
  commit,
  /** Fetched instead when the host does not serve single commits; the fetched tip must still be `commit`. */
  ref: z.string().max(512).optional(),
  /** User name for HTTP Basic; the password is the file `token`. */
  username: z.string().min(1).max(256),
  tokenFile: z.string(),
  caFile: z.string().optional(),
  /** `forbidden` must all be unreachable, in the same round in which `allowed` answers, before the token file is read. */
  fence: z.object({
    enforced: z.boolean(),
    allowed: endpoint,
    forbidden: z.array(endpoint).min(1).max(8),
    timeoutSeconds: z.int().min(1).max(600),
  }),
  limits: z.object({
    /** Room that the files of the commit take on the disk, in whole blocks. */
    treeBytes: z.int().positive(),
    /** Number of entries in the commit's tree. */
    treeFiles: z.int().positive(),
    timeoutSeconds: z.int().positive(),
  }),
})

export type ClonePlan = z.infer<typeof clonePlanSchema>

export const scanPlanSchema = z.object({
  /** UID of the ScanRun and number of the attempt: together the identity of the result. */
  run: z.object({ uid: z.string().min(1).max(64), namespace: z.string(), name: z.string(), attempt: z.int().min(1) }),
  commit,
  products: z.array(productSchema).min(1).max(3),
  /** Paths of the repository that are left out, as globs relative to its root. */
  exclude: z.array(z.string().max(512)).max(200),
  semgrep: z.object({ mode: z.enum(['Native', 'Classic']) }),
  /** When true, `nosemgrep`, `gitleaks:allow` and ignore files of the repository count. */
  honourSuppressions: z.boolean(),
  limits: z.object({ engineTimeoutSeconds: z.int().positive(), handoverTimeoutSeconds: z.int().positive() }),
  upload: z.object({
    /** https URL of the gateway that takes this run's result. */
    url: z.string().startsWith('https://'),
    tokenFile: z.string(),
    caFile: z.string(),
    /** How long delivery is tried while the gateway is away. */
    timeoutSeconds: z.int().positive(),
  }),
})

export type ScanPlan = z.infer<typeof scanPlanSchema>

/** What `clone` hands over. `ok: false` tells `scan` that there is nothing to wait for. */
export const handoverSchema = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    commit,
    /** Number of files and of bytes in the work tree. */
    files: z.int().nonnegative(),
    bytes: z.int().nonnegative(),
    /** RFC 3339 times. `fenceProvenAt` is absent when the plan did not ask for proof. */
    fenceProvenAt: z.iso.datetime().optional(),
    cloneStartedAt: z.iso.datetime(),
    cloneEndedAt: z.iso.datetime(),
    /** What was left out on purpose, counted: submodules, LFS pointers, symlinks stored as files. */
    skipped: z.object({ submodules: z.int(), lfsPointers: z.int(), symlinks: z.int() }),
  }),
  z.object({ ok: z.literal(false), reason: z.string().max(64), message: z.string().max(2000) }),
])

export type Handover = z.infer<typeof handoverSchema>
