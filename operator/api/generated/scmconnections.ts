/** Generated from crds/scmconnections.yaml by `make generate`. Do not edit. */

export interface ScmConnectionFields {
  /**
   * What people declare. The operator never writes it.
   */
  spec: {
    /**
     * Which code host this is. It cannot be changed later; make another connection instead.
     */
    provider:
      | 'GitHub'
      | 'GitHubEnterpriseServer'
      | 'GitLab'
      | 'GitLabSelfManaged'
      | 'BitbucketCloud'
      | 'BitbucketDataCenter'
      | 'AzureDevOps'
    /**
     * Base address of a self-hosted code host, such as https://github.example.com. Only for GitHubEnterpriseServer, GitLabSelfManaged and BitbucketDataCenter.
     */
    url?: string
    /**
     * The account whose repositories are read. GitHub takes organization or user, GitLab group, Bitbucket Cloud workspace, Bitbucket Data Center projectKey, Azure DevOps organization and, if wanted, project.
     */
    owner: {
      /**
       * Organization at GitHub, GitHub Enterprise Server or Azure DevOps, as it stands in the address.
       */
      organization?: string
      /**
       * Personal account at GitHub or GitHub Enterprise Server.
       */
      user?: string
      /**
       * Full path of a group at GitLab, such as acme/platform. All of its subgroups belong to it.
       */
      group?: string
      /**
       * Workspace ID at Bitbucket Cloud, as it stands in the address.
       */
      workspace?: string
      /**
       * Key of a project at Bitbucket Data Center. It is the key, not the display name.
       */
      projectKey?: string
      /**
       * One project of the Azure DevOps organization or of the Bitbucket Cloud workspace; all of its projects if absent.
       */
      project?: string
    }
    /**
     * How the operator proves who it is. Exactly one kind, always by naming a Secret of the same namespace.
     */
    credentials: {
      /**
       * Never write a token here; it is refused. Put it into a Secret and name that in tokenSecretRef.
       */
      token?: string
      /**
       * Secret with an access token.
       */
      tokenSecretRef?: {
        /**
         * Name of a Secret in the same namespace.
         */
        name: string
        /**
         * Key of the Secret that holds the token.
         */
        key: string
      }
      /**
       * A GitHub App. The installation is found by the owner.
       */
      githubApp?: {
        /**
         * App ID as shown on the app's settings page.
         */
        appId: number
        /**
         * Secret with the app's private key in PEM.
         */
        privateKeySecretRef: {
          /**
           * Name of a Secret in the same namespace.
           */
          name: string
          /**
           * Key of the Secret that holds the private key.
           */
          key: string
        }
      }
    }
    /**
     * Highest right to code that any feature may use. With features it gives the permissions that the credential needs.
     */
    access: 'Read' | 'ReadWrite'
    /**
     * What the connection is used for. Each feature adds to the permissions that the credential needs.
     */
    features: ('Discovery' | 'CommitStatus' | 'Checks' | 'Comments' | 'Webhooks' | 'Membership')[]
    /**
     * Which repositories of the owner become ScmRepository objects.
     */
    discovery: {
      /**
       * How often the code host is asked for its repositories, such as 30m or 6h. Between 1 minute and 7 days.
       */
      interval: string
      /**
       * Full names of repositories to discover, as globs such as acme/* or acme/shop-*. All if absent.
       */
      include?: string[]
      /**
       * Full names of repositories to leave out, as globs. They win over include.
       */
      exclude?: string[]
      /**
       * Only repositories that carry at least one of these topics.
       */
      topics?: string[]
      /**
       * What happens with archived repositories.
       */
      archived: 'Exclude' | 'Include'
      /**
       * What happens with forks of other repositories.
       */
      forks: 'Exclude' | 'Include'
    }
    /**
     * How scan pods fetch code.
     */
    clone: {
      /**
       * Protocol of the clone. This version clones over HTTPS.
       */
      protocol: 'HTTPS' | 'SSH'
    }
    /**
     * Trust in the code host's certificate, for API calls and for clones alike.
     */
    tls?: {
      /**
       * ConfigMap with certificates of the authorities to trust, in PEM, beside the public ones.
       */
      caConfigMapRef?: {
        /**
         * Name of a ConfigMap in the same namespace.
         */
        name: string
        /**
         * Key of the ConfigMap that holds the certificates.
         */
        key: string
      }
    }
    /**
     * Limits over all ManagedScans of this connection.
     */
    limits: {
      /**
       * How many scans of this connection's repositories may run at once.
       */
      concurrent: number
    }
    /**
     * What happens to the discovered repositories when the connection is deleted. Retain keeps them and their findings; Purge deletes the objects.
     */
    deletionPolicy: 'Retain' | 'Purge'
    /**
     * Stops checks, discovery and the start of scans. What was discovered is kept.
     */
    suspend: boolean
  }
  /**
   * What the operator saw.
   */
  status?: {
    /**
     * Generation of the spec that this status speaks of.
     */
    observedGeneration?: number
    /**
     * Value of the annotation scanfleet.dev/requestedAt that was handled last.
     */
    lastHandledRequest?: string
    /**
     * Who the credential is at the code host.
     */
    account?: {
      /**
       * Name of the user or app.
       */
      name?: string
      /**
       * Kind of the credential: ClassicToken, FineGrainedToken or App.
       */
      kind?: string
      /**
       * Secret and key that the credential was read from.
       */
      credential?: string
      /**
       * When the credential ends. Absent when the code host does not tell or it does not end.
       */
      expirationTime?: string
    }
    /**
     * How many repositories the last complete discovery selected.
     */
    repositories?: number
    /**
     * End of the last complete discovery.
     */
    lastDiscoveryTime?: string
    /**
     * When the connection was tested last and its outcome changed.
     */
    lastCheckTime?: string
    /**
     * State of the connection: Ready, and Reconciling or Stalled while true.
     *
     * Items: One aspect of the state.
     */
    conditions?: {
      /**
       * Name of the aspect.
       */
      type: string
      /**
       * Whether it holds.
       */
      status: 'True' | 'False' | 'Unknown'
      /**
       * Generation of the spec that was seen.
       */
      observedGeneration?: number
      /**
       * When status changed last.
       */
      lastTransitionTime: string
      /**
       * A constant for programs.
       */
      reason: string
      /**
       * A sentence for people.
       */
      message: string
    }[]
  }
}
