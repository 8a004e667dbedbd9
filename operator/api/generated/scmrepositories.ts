/** Generated from crds/scmrepositories.yaml by `make generate`. Do not edit. */

export interface ScmRepositoryFields {
  /**
   * What discovery read from the code host. People may set suspend; the rest is the operator's.
   */
  spec: {
    /**
     * The ScmConnection that discovered the repository.
     */
    connectionRef: {
      /**
       * Name of an ScmConnection in the same namespace.
       */
      name: string
    }
    /**
     * The code host's immutable ID of the repository.
     */
    id: string
    /**
     * Full name at the code host, such as acme/shop.
     */
    fullName: string
    /**
     * Branch that a full scan reads. Absent in an empty repository.
     */
    defaultBranch?: string
    /**
     * Address for clones over HTTPS as the code host gives it.
     */
    cloneUrl?: string
    /**
     * Page of the repository.
     */
    webUrl?: string
    /**
     * Who can see the repository at the code host.
     */
    visibility?: 'Public' | 'Internal' | 'Private'
    /**
     * Whether the code host has the repository archived.
     */
    archived?: boolean
    /**
     * Whether it is a fork.
     */
    fork?: boolean
    /**
     * Topics of the repository.
     */
    topics?: string[]
    /**
     * Main language as the code host sees it.
     */
    language?: string
    /**
     * Size that the code host gives. It may lag.
     */
    sizeKilobytes?: number
    /**
     * Set by people. No scan of this repository is started while true.
     */
    suspend?: boolean
  }
  /**
   * What scans found.
   */
  status: {
    /**
     * Value of the annotation scanfleet.dev/requestedAt that was handled last.
     */
    lastHandledRequest?: string
    /**
     * When a complete discovery did not list the repository any more. The object and its findings are kept.
     */
    missingSince?: string
    /**
     * The last scan that completed.
     */
    lastScan?: {
      /**
       * Name of the ScanRun.
       */
      scanRun?: string
      /**
       * Commit that was scanned.
       */
      commit?: string
      /**
       * When the scan completed.
       */
      time?: string
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
    }
    /**
     * State of the repository: Ready, and Stalled while true.
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
