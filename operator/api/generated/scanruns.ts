/** Generated from crds/scanruns.yaml by `make generate`. Do not edit. */

export interface ScanRunFields {
  /**
   * What is to be scanned. It cannot be changed later; make another ScanRun instead.
   */
  spec: {
    /**
     * The ManagedScan whose settings are used.
     */
    managedScanRef: {
      /**
       * Name of a ManagedScan in the same namespace.
       */
      name: string
    }
    /**
     * The repository, by name, by fullName, or by both; then name decides and fullName is for people.
     */
    repository: {
      /**
       * Name of an ScmRepository in the same namespace.
       */
      name?: string
      /**
       * Full name at the code host, such as acme/shop.
       */
      fullName?: string
    }
    /**
     * Why the scan was started. Manifests of people say Manual.
     */
    reason: 'Initial' | 'Manual' | 'Requested' | 'Scheduled' | 'PullRequest'
    /**
     * Branch whose newest commit is scanned. The default branch if neither branch nor commit is given.
     */
    branch?: string
    /**
     * Exact commit to scan, in full.
     */
    commit?: string
  }
  /**
   * What became of it.
   */
  status: {
    /**
     * Generation of the spec that this status speaks of.
     */
    observedGeneration?: number
    /**
     * Full name of the repository.
     */
    repository?: string
    /**
     * Name of the ScmRepository.
     */
    repositoryName?: string
    /**
     * The code host's immutable ID of the repository.
     */
    repositoryId?: string
    /**
     * Branch that was scanned. Absent when a bare commit was asked for.
     */
    branch?: string
    /**
     * Commit that was scanned.
     */
    commit?: string
    /**
     * When the pod was allowed to start.
     */
    startTime?: string
    /**
     * When the result was accepted or the scan failed.
     */
    completionTime?: string
    /**
     * The attempt that runs or ran last.
     */
    attempt?: {
      /**
       * Number of the attempt, from 1.
       */
      number?: number
      /**
       * Name of the Job in the scan namespace.
       */
      jobName?: string
      /**
       * SHA-256 of the one-time token with which the pod hands in its result.
       */
      uploadTokenDigest?: string
      /**
       * Until when a result is accepted.
       */
      uploadExpirationTime?: string
      /**
       * Products that this attempt looks for.
       */
      products?: ('Code' | 'SupplyChain' | 'Secrets')[]
      /**
       * What a finding leads to, first match wins. Without a match it is monitored.
       *
       * Items: One rule of the policy.
       */
      policy?: {
        /**
         * Severities that the rule speaks of; all if absent.
         */
        severities?: ('Critical' | 'High' | 'Medium' | 'Low')[]
        /**
         * Products that the rule speaks of; all if absent.
         */
        products?: ('Code' | 'SupplyChain' | 'Secrets')[]
        /**
         * Rule IDs as globs, such as scanfleet.python.*; all if absent.
         */
        rules?: string[]
        /**
         * Monitor records the finding, Comment also tells the author of a change, Block also makes the verdict Blocked.
         */
        action: 'Monitor' | 'Comment' | 'Block'
      }[]
    }
    /**
     * What the scan found. Findings themselves are in the store.
     */
    result?: {
      /**
       * Clean without open findings, Blocked when a policy rule says Block for one of them, else Findings.
       */
      verdict?: 'Clean' | 'Findings' | 'Blocked'
      /**
       * Counts of findings.
       */
      findings?: {
        /**
         * All open findings.
         */
        total?: number
        /**
         * Open findings that no earlier scan of the repository saw.
         */
        new?: number
        /**
         * Open findings that an earlier scan saw already.
         */
        known?: number
        /**
         * Findings that were open before this scan and are gone.
         */
        fixed?: number
        /**
         * Open findings that had been fixed before.
         */
        reopened?: number
        /**
         * Open findings by severity.
         */
        bySeverity?: {
          /**
           * Open findings of severity critical.
           */
          critical?: number
          /**
           * Open findings of severity high.
           */
          high?: number
          /**
           * Open findings of severity medium.
           */
          medium?: number
          /**
           * Open findings of severity low.
           */
          low?: number
        }
        /**
         * Open findings by product.
         */
        byProduct?: {
          /**
           * Open findings in code.
           */
          code?: {
            /**
             * All open code findings.
             */
            total?: number
            /**
             * Open code findings of severity critical.
             */
            critical?: number
            /**
             * Open code findings of severity high.
             */
            high?: number
            /**
             * Open code findings of severity medium.
             */
            medium?: number
            /**
             * Open code findings of severity low.
             */
            low?: number
          }
          /**
           * Open findings in supply chain.
           */
          supplyChain?: {
            /**
             * All open supply chain findings.
             */
            total?: number
            /**
             * Open supply chain findings of severity critical.
             */
            critical?: number
            /**
             * Open supply chain findings of severity high.
             */
            high?: number
            /**
             * Open supply chain findings of severity medium.
             */
            medium?: number
            /**
             * Open supply chain findings of severity low.
             */
            low?: number
          }
          /**
           * Open findings in secrets.
           */
          secrets?: {
            /**
             * All open secrets findings.
             */
            total?: number
            /**
             * Open secrets findings of severity critical.
             */
            critical?: number
            /**
             * Open secrets findings of severity high.
             */
            high?: number
            /**
             * Open secrets findings of severity medium.
             */
            medium?: number
            /**
             * Open secrets findings of severity low.
             */
            low?: number
          }
        }
      }
      /**
       * Findings that the repository asked to hide.
       */
      suppressed?: number
      /**
       * The engines that ran.
       *
       * Items: One engine.
       */
      engines?: {
        /**
         * Name of the engine.
         */
        name?: string
        /**
         * Its version.
         */
        version?: string
        /**
         * Product that it looked for.
         */
        product?: string
        /**
         * How long it ran.
         */
        milliseconds?: number
        /**
         * SHA-256 of its rules or advisory database.
         */
        rulesDigest?: string
        /**
         * Why it had nothing to look at.
         */
        notice?: string
      }[]
    }
    /**
     * What was done with code and credential, and when.
     */
    evidence?: {
      /**
       * Image of the scan pod.
       */
      image?: string
      /**
       * When the pod saw that it can reach nothing but its code host and the gateway.
       */
      fenceProvenTime?: string
      /**
       * When source code began to exist in the pod.
       */
      cloneStartTime?: string
      /**
       * When the checkout was complete.
       */
      cloneEndTime?: string
      /**
       * When the Secret with the clone credential was deleted.
       */
      credentialRemovedTime?: string
      /**
       * When a credential that was minted for this scan was revoked at the code host.
       */
      credentialRevokedTime?: string
      /**
       * When the pod and with it the source code was gone.
       */
      podDeletedTime?: string
      /**
       * Files of the checkout.
       */
      files?: number
      /**
       * Bytes of the checkout.
       */
      bytes?: number
    }
    /**
     * State of the scan: Ready, Complete or Failed, and Stalled when it failed.
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
