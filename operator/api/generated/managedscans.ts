/** Generated from crds/managedscans.yaml by `make generate`. Do not edit. */

export interface ManagedScanFields {
  /**
   * What people declare. The operator never writes it.
   */
  spec: {
    /**
     * The ScmConnection whose repositories are scanned.
     */
    connectionRef: {
      /**
       * Name of an ScmConnection in the same namespace.
       */
      name: string
    }
    /**
     * Which of the discovered repositories are scanned. All if absent.
     */
    repositories: {
      /**
       * Full names as globs, such as acme/* or acme/shop. All if absent.
       */
      include?: string[]
      /**
       * Full names as globs that are left out. They win over include.
       */
      exclude?: string[]
      /**
       * Only repositories with at least one of these topics.
       */
      topics?: string[]
      /**
       * Only ScmRepository objects that carry all of these labels.
       */
      matchLabels?: {
        [k: string]: string
      }
    }
    /**
     * What is looked for. Code finds flaws in source, SupplyChain vulnerable dependencies in lockfiles and manifests, Secrets credentials in files.
     */
    products: ('Code' | 'SupplyChain' | 'Secrets')[]
    /**
     * Parts of the repositories that are left out.
     */
    paths?: {
      /**
       * Paths as globs, relative to the root of the repository, such as vendor/**.
       */
      exclude?: string[]
    }
    /**
     * Whether comments and ignore files in a repository may hide findings. They are counted in either case.
     */
    suppressions: 'Ignore' | 'Honour'
    /**
     * Settings of the engine for code.
     */
    semgrep: {
      /**
       * Native is several times quicker with the same findings; Classic is the older command line.
       */
      mode: 'Native' | 'Classic'
    }
    /**
     * When whole repositories are scanned.
     */
    schedule: {
      /**
       * Scan a repository once when it is first seen.
       */
      initial: boolean
      /**
       * Repeated scans of whole repositories. None leaves them to annotations and ScanRun manifests; a cron expression of five fields (minute, hour, day, month, weekday; H spreads) is kept for the scheduler and shown as not yet acted upon.
       */
      full: string
      /**
       * Time zone of the cron expression, such as Europe/Berlin.
       */
      timeZone: string
    }
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
    /**
     * What scans may use.
     */
    limits: {
      /**
       * How many scans of this ManagedScan may run at once.
       */
      concurrent: number
      /**
       * How long one attempt may take from the start of its pod, such as 30m. Between 1 minute and 24 hours.
       */
      timeout: string
      /**
       * CPU that the scan container may use, such as 500m or 2.
       */
      cpu: string
      /**
       * Memory that the scan container may use. Passing it ends the scan as OutOfMemory.
       */
      memory: string
      /**
       * Size of the volume for the checkout.
       */
      disk: string
      /**
       * Files that a commit may have. More ends the scan as RepositoryTooLarge before any is written.
       */
      files: number
    }
    /**
     * How scan pods are placed and isolated.
     */
    pod: {
      /**
       * Run pods in a user namespace of their own (hostUsers false). Set false only on clusters that lack them.
       */
      userNamespaces: boolean
      /**
       * RuntimeClass of the pods, for example one for gVisor or Kata.
       */
      runtimeClassName?: string
      /**
       * PriorityClass of the pods.
       */
      priorityClassName?: string
      /**
       * Labels that a node must carry.
       */
      nodeSelector?: {
        [k: string]: string
      }
      /**
       * Taints that the pods tolerate, as in a pod.
       *
       * Items: One toleration.
       */
      tolerations?: {
        /**
         * Key of the taint.
         */
        key?: string
        /**
         * How the value is compared.
         */
        operator?: 'Exists' | 'Equal'
        /**
         * Value of the taint.
         */
        value?: string
        /**
         * Effect of the taint.
         */
        effect?: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
        /**
         * How long NoExecute is tolerated.
         */
        tolerationSeconds?: number
      }[]
    }
    /**
     * How many finished ScanRuns are kept for each repository. Findings are not affected.
     */
    history: {
      /**
       * Completed ScanRuns to keep for each repository.
       */
      completed: number
      /**
       * Failed ScanRuns to keep for each repository.
       */
      failed: number
    }
    /**
     * Starts no scan while true. Running ones end in peace.
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
     * Counts of repositories.
     */
    repositories?: {
      /**
       * Repositories that the selection matches.
       */
      selected?: number
      /**
       * Selected repositories with at least one completed scan.
       */
      scanned?: number
      /**
       * Scans that run now.
       */
      running?: number
      /**
       * Scans that wait for their turn.
       */
      waiting?: number
      /**
       * Selected repositories whose latest scan failed.
       */
      failed?: number
    }
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
    /**
     * State of the scan: Ready, and Reconciling or Stalled while true.
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
