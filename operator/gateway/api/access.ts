/**
 * Who asks, and whether they may: the API server decides both, by TokenReview and SubjectAccessReview. The question is
 * `get scmrepositories/findings` in a namespace, so that a Role of Kubernetes grants findings. Answers are kept a short
 * time, under a hash of the token, never the token.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { group, plurals } from '../../api/names.ts'
import type { KubeClient } from '../../kube/client.ts'
import { resources } from '../../kube/resources.ts'
import { ProblemError } from '../problem.ts'

export interface User {
  readonly username: string
  readonly uid?: string
  readonly groups: readonly string[]
  readonly extra: Readonly<Record<string, readonly string[]>>
}

export interface Access {
  /** Throws a ProblemError with 401. */
  authenticate(authorization: string | undefined): Promise<User>
  /** `namespace` undefined asks for all namespaces. */
  mayReadFindings(user: User, namespace: string | undefined): Promise<boolean>
}

const keptMs = { yes: 20_000, no: 5_000 }
const keptAnswers = 2_000

type Answer = { readonly user: User | undefined }

export function createAccess(client: KubeClient): Access {
  const users = new LRUCache<string, Answer>({ max: keptAnswers })
  const grants = new LRUCache<string, { readonly allowed: boolean }>({ max: keptAnswers })

  async function review(token: string): Promise<User | undefined> {
    const answer = await client.create(resources.tokenReviews, undefined, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token },
    })
    const { authenticated, user } = answer.status ?? {}
    if (!authenticated || !user?.username) return undefined
    const { username, uid, groups = [], extra = {} } = user
    return { username, groups, extra, ...(uid !== undefined && { uid }) }
  }

  return {
    async authenticate(authorization) {
      const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/.exec(authorization ?? '')?.[1]
      if (token === undefined) throw new ProblemError(unauthenticated)
      const key = createHash('sha256').update(token).digest('base64')
      let answer = users.get(key)
      if (!answer) {
        answer = { user: await review(token) }
        users.set(key, answer, { ttl: answer.user ? keptMs.yes : keptMs.no })
      }
      if (!answer.user) throw new ProblemError(unauthenticated)
      return answer.user
    },

    async mayReadFindings(user, namespace) {
      const key = JSON.stringify([user, namespace])
      const kept = grants.get(key)
      if (kept) return kept.allowed
      const { username, uid, groups, extra } = user
      const answer = await client.create(resources.subjectAccessReviews, undefined, {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: {
          user: username,
          groups,
          extra,
          ...(uid !== undefined && { uid }),
          resourceAttributes: {
            group,
            resource: plurals.ScmRepository,
            subresource: 'findings',
            verb: 'get',
            ...(namespace !== undefined && { namespace }),
          },
        },
      })
      const allowed = answer.status?.allowed === true
      grants.set(key, { allowed }, { ttl: allowed ? keptMs.yes : keptMs.no })
      return allowed
    },
  }
}

const unauthenticated = {
  status: 401,
  reason: 'Unauthorized',
  detail: 'Send a token of this Kubernetes cluster, for example: Authorization: Bearer $(kubectl create token NAME).',
}
