/** What GitHub answers, as far as it is used. Foreign data becomes trusted types here and nowhere else. */
import { z } from 'zod'

/** Octokit parses numbers beyond 2^53 as bigint; inside of the operator an ID is text. */
const id = z.union([z.int().nonnegative(), z.bigint()]).transform(String)
const login = z.string().regex(/^[A-Za-z0-9_.-]{1,255}$/)
const fullName = z.string().regex(/^[A-Za-z0-9_.-]{1,255}\/[A-Za-z0-9_.-]{1,255}$/)
const address = z.url({ protocol: /^https$/ }).max(2048)
const permissions = z.record(z.string().max(100), z.string().max(20))
const time = z.string().max(64)

export const userSchema = z.object({ login, type: z.string().max(50) })

export const repositorySchema = z.object({
  id,
  full_name: fullName,
  html_url: address,
  clone_url: address,
  default_branch: z.string().min(1).max(255),
  private: z.boolean(),
  visibility: z.string().max(20).optional(),
  archived: z.boolean().default(false),
  fork: z.boolean(),
  topics: z.array(z.string().max(100)).max(100).default([]),
  language: z.string().max(100).nullish(),
  size: z.int().nonnegative().optional(),
  pushed_at: time.nullish(),
  created_at: time.nullish(),
})
export type GitHubRepository = z.infer<typeof repositorySchema>

export const repositoriesSchema = z.array(repositorySchema).max(100)

export const installationRepositoriesSchema = z.object({
  total_count: z.int().nonnegative(),
  repositories: repositoriesSchema,
})

export const appSchema = z.object({ name: z.string().max(255), html_url: address })

export const installationSchema = z.object({
  id: z.int().positive(),
  app_slug: z.string().max(255),
  permissions,
  suspended_at: time.nullish(),
})
export type Installation = z.infer<typeof installationSchema>

/** The token is opaque: its length and alphabet have changed before. */
export const tokenSchema = z.object({
  token: z.string().min(1).max(4096),
  expires_at: z.iso.datetime({ offset: true }),
  permissions: permissions.optional(),
  repositories: z.array(z.object({ id })).max(500).optional(),
})

export const refSchema = z.object({
  ref: z.string().max(1024),
  object: z.object({ sha: z.string().regex(/^([0-9a-f]{40}|[0-9a-f]{64})$/) }),
})

export const branchesSchema = z.array(z.object({ name: z.string() })).max(100)

export const nothingSchema = z.unknown()
