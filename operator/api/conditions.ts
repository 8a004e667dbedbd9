/** Every condition type and reason that the operator writes. People script against them; docs/spec lists them all. */

export const conditionTypes = {
  /** True when the object does what its spec says; for a ScanRun, when it completed. */
  Ready: 'Ready',
  /** Only present while true: the controller still works towards the spec. */
  Reconciling: 'Reconciling',
  /** Only present while true: nothing will change until a person acts. */
  Stalled: 'Stalled',
  /** ScanRun: the gateway accepted a result. */
  Complete: 'Complete',
  /** ScanRun: there will be no result. */
  Failed: 'Failed',
} as const

/** Reasons of ScmConnection. Those that are `stalled` wait for a person; the others are tried again by themselves. */
export const connectionReasons = {
  Connected: { stalled: false, text: 'The code host answers and the credential reads its repositories.' },
  Checking: { stalled: false, text: 'The first check has not ended yet.' },
  Suspended: { stalled: true, text: 'spec.suspend is true.' },
  SecretNotFound: { stalled: true, text: 'The Secret that the spec names does not exist.' },
  SecretKeyMissing: { stalled: true, text: 'The Secret has no such key.' },
  SecretEmpty: { stalled: true, text: 'The key of the Secret is empty.' },
  PrivateKeyInvalid: { stalled: true, text: 'The key of the Secret is no private key in PEM.' },
  CaNotFound: { stalled: true, text: 'The ConfigMap with certificates, or its key, does not exist.' },
  CaInvalid: { stalled: true, text: 'The ConfigMap holds no certificate in PEM.' },
  AuthenticationFailed: { stalled: true, text: 'The code host refuses the credential.' },
  CredentialExpired: { stalled: true, text: 'The credential has expired.' },
  SsoAuthorizationRequired: { stalled: true, text: 'The organization wants the token authorized for single sign-on.' },
  ForbiddenByPolicy: {
    stalled: true,
    text: 'A policy of the organization refuses this kind of token or this address.',
  },
  PermissionMissing: { stalled: true, text: 'The credential lacks a permission that an enabled feature needs.' },
  OwnerNotFound: { stalled: true, text: 'The owner does not exist, or the credential cannot see it.' },
  InstallationNotFound: { stalled: true, text: 'The GitHub App is not installed for the owner.' },
  InstallationSuspended: { stalled: true, text: 'The installation of the GitHub App is suspended.' },
  AddressRefused: { stalled: true, text: 'The address is private and the cluster administrator has not allowed it.' },
  HostNotFound: { stalled: false, text: 'The name of the code host does not resolve.' },
  HostUnreachable: { stalled: false, text: 'The code host does not answer.' },
  TlsNotTrusted: { stalled: true, text: "The code host's certificate is not trusted." },
  RateLimited: { stalled: false, text: 'The code host asks to wait.' },
  UnexpectedReply: { stalled: false, text: 'The code host answered with something that is not its API.' },
  PartialResults: { stalled: false, text: 'The code host says that its answer is incomplete.' },
  ProviderNotAvailable: { stalled: true, text: 'This version has no client for the provider.' },
} as const

export type ConnectionReason = keyof typeof connectionReasons

export const managedScanReasons = {
  Ready: { stalled: false, text: 'All selected repositories have been scanned as declared.' },
  Scanning: { stalled: false, text: 'Scans run or wait for their turn.' },
  NothingSelected: { stalled: false, text: 'The selection matches no discovered repository.' },
  ConnectionNotFound: { stalled: true, text: 'The ScmConnection does not exist.' },
  ConnectionNotReady: { stalled: false, text: 'The ScmConnection is not ready; its own status says why.' },
  Suspended: { stalled: true, text: 'spec.suspend is true.' },
  ScansFailed: { stalled: true, text: 'The latest scan of some repositories failed.' },
} as const

export type ManagedScanReason = keyof typeof managedScanReasons

export const repositoryReasons = {
  Discovered: { stalled: false, text: 'The last complete discovery listed the repository.' },
  Missing: {
    stalled: false,
    text: 'The last complete discovery did not list the repository; object and findings are kept.',
  },
} as const

/** Reasons of a ScanRun's Ready condition. `final` ones end the run as Failed. */
export const scanRunReasons = {
  NamespaceNotIsolated: { final: false, text: 'The scan namespace does not enforce isolation, so no scan is started.' },
  Waiting: { final: false, text: 'The run waits for its turn: a cap is reached, or something is suspended.' },
  ConnectionNotReady: { final: false, text: 'The run waits until the ScmConnection is ready.' },
  CodeHostBusy: { final: false, text: 'The run waits because the code host asks to wait or does not answer.' },
  Running: { final: false, text: 'The pod clones and scans.' },
  Succeeded: { final: false, text: 'The result was accepted.' },
  ManagedScanNotFound: { final: true, text: 'The ManagedScan does not exist.' },
  RepositoryNotFound: { final: true, text: 'The repository is not among the discovered ones.' },
  ConnectionNotFound: { final: true, text: 'The ScmConnection does not exist.' },
  BranchNotFound: { final: true, text: 'The branch does not exist.' },
  RepositoryEmpty: { final: true, text: 'The repository has no commit yet.' },
  Cancelled: { final: true, text: 'What the run belongs to was deleted or suspended while it ran.' },
  JobLost: { final: true, text: 'The Job or its pod was deleted before a result came.' },
  NameTaken: { final: true, text: "An object that is not ours has the Job's name." },
  OutOfMemory: { final: true, text: 'A container passed its memory limit.' },
  DeadlineExceeded: { final: true, text: 'The attempt took longer than limits.timeout.' },
  Evicted: { final: true, text: 'The node evicted the pod, for example because a volume passed its limit.' },
  PodNotStarted: { final: true, text: 'The pod could not be scheduled or its image not be pulled.' },
  PodRefused: { final: true, text: 'The cluster refused the Job or its pod.' },
  NoResult: { final: true, text: 'The pod ended without a result.' },
  ResultInvalid: { final: true, text: 'The result was oversized, malformed or for another scan, and was refused.' },
  IsolationNotEnforced: { final: true, text: 'The cluster does not isolate scan pods, so nothing was cloned.' },
  CodeHostUnreachable: { final: true, text: 'The pod could not reach the code host.' },
  CodeHostTlsNotTrusted: { final: true, text: "The pod does not trust the code host's certificate." },
  CloneRefused: { final: true, text: 'The code host refused the clone.' },
  CommitNotFound: { final: true, text: 'The commit is not in the repository.' },
  RepositoryTooLarge: { final: true, text: 'The repository passes limits.files or limits.disk.' },
  DiskFull: { final: true, text: 'The volume of the pod is full.' },
  RepositoryUnsafe: { final: true, text: "The repository failed git's integrity checks." },
  CloneFailed: { final: true, text: 'git failed.' },
  NothingHandedOver: { final: true, text: 'The clone failed without a reason of its own.' },
  ScannerIncomplete: { final: true, text: 'Rules or the advisory database are missing.' },
  EngineFailed: { final: true, text: 'An engine failed.' },
  EngineTimedOut: { final: true, text: 'An engine took too long.' },
  ResultRefused: { final: true, text: 'The gateway refused the result.' },
  ResultNotDelivered: { final: true, text: 'The gateway did not take the result in time.' },
  ResultTooLarge: { final: true, text: 'The result passes what the gateway accepts.' },
  PlanInvalid: {
    final: true,
    text: "The scanner image does not understand the controller's plan; their versions differ.",
  },
  InternalError: { final: true, text: 'A fault of the scanner.' },
} as const

export type ScanRunReason = keyof typeof scanRunReasons
