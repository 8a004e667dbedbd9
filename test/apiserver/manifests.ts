/** The tables of kinds.test.ts: specs that the API accepts, and specs that it refuses with the sentence it says. */

type Changes = Readonly<Record<string, unknown>>
interface Bad {
  readonly spec: Changes
  readonly sentence: RegExp
}

const app = { githubApp: { appId: 4711, privateKeySecretRef: { name: 'app' } } }

export const goodConnections: Readonly<Record<string, Changes>> = {
  'GitHub with a token': {},
  'GitHub, a user, with an app': { owner: { user: 'jane' }, credentials: app },
  'GitHub Enterprise Server': { provider: 'GitHubEnterpriseServer', url: 'https://github.example.com' },
  'GitHub Enterprise Server on a port and a path': {
    provider: 'GitHubEnterpriseServer',
    url: 'https://code.example.com:8443/git',
  },
  'GitLab, a subgroup': { provider: 'GitLab', owner: { group: 'acme/platform' } },
  'GitLab, self-managed': {
    provider: 'GitLabSelfManaged',
    url: 'https://gitlab.example.com',
    owner: { group: 'acme' },
  },
  'Bitbucket Cloud': { provider: 'BitbucketCloud', owner: { workspace: 'acme' } },
  'Bitbucket Data Center': {
    provider: 'BitbucketDataCenter',
    url: 'https://bitbucket.example.com',
    owner: { projectKey: 'ACME' },
  },
  'Azure DevOps, one project with a space': {
    provider: 'AzureDevOps',
    owner: { organization: 'acme', project: 'The shop' },
  },
  'discovery at the longest interval': { discovery: { interval: '168h' } },
  'discovery at an interval of several units': { discovery: { interval: '1h30m' } },
}

export const badConnections: Readonly<Record<string, Bad>> = {
  'GitHub with a group': {
    spec: { owner: { group: 'acme' } },
    sentence: /GitHub needs owner\.organization or owner\.user/,
  },
  'GitHub with organization and user': {
    spec: { owner: { organization: 'acme', user: 'jane' } },
    sentence: /GitHub needs owner\.organization or owner\.user and nothing else/,
  },
  'GitLab with an organization': {
    spec: { provider: 'GitLab' },
    sentence: /GitLab needs owner\.group and nothing else, for example owner: \{group: acme\/platform\}/,
  },
  'Bitbucket Cloud with a project key': {
    spec: { provider: 'BitbucketCloud', owner: { projectKey: 'ACME' } },
    sentence: /Bitbucket Cloud needs owner\.workspace/,
  },
  'Bitbucket Data Center with a workspace': {
    spec: { provider: 'BitbucketDataCenter', url: 'https://b.example.com', owner: { workspace: 'acme' } },
    sentence: /Bitbucket Data Center needs owner\.projectKey/,
  },
  'Azure DevOps with a project alone': {
    spec: { provider: 'AzureDevOps', owner: { project: 'shop' } },
    sentence: /Azure DevOps needs owner\.organization/,
  },
  'an unknown provider': {
    spec: { provider: 'Gitea' },
    sentence: /Unsupported value: "Gitea": supported values: "GitHub"/,
  },
  'no owner': { spec: { owner: undefined }, sentence: /spec\.owner: Required value/ },
  'an owner with a slash': { spec: { owner: { organization: 'acme/shop' } }, sentence: /spec\.owner\.organization/ },
  'an unknown field': { spec: { suspended: true }, sentence: /unknown field "spec\.suspended"/ },
  'a self-hosted host without url': {
    spec: { provider: 'GitHubEnterpriseServer' },
    sentence: /url is required for a self-hosted code host/,
  },
  'a hosted one with url': {
    spec: { url: 'https://github.com' },
    sentence: /url belongs to self-hosted code hosts only/,
  },
  'an http url': {
    spec: { provider: 'GitHubEnterpriseServer', url: 'http://github.example.com' },
    sentence: /url must start with https:\/\/; a token must not travel unencrypted/,
  },
  'a url with credentials': {
    spec: { provider: 'GitHubEnterpriseServer', url: 'https://jane:fake-password@github.example.com' },
    sentence: /url must not contain a user name or password; write the credential into a Secret/,
  },
  'a url with a query': {
    spec: { provider: 'GitHubEnterpriseServer', url: 'https://github.example.com/?a=b' },
    sentence: /url must be a base address, without a query or a fragment/,
  },
  'a url that is none': {
    spec: { provider: 'GitHubEnterpriseServer', url: 'https://not a host' },
    sentence: /url must be a valid address such as https:\/\/github\.example\.com/,
  },
  'a token in the spec': {
    spec: { credentials: { token: 'fake-token-for-tests' } },
    sentence: /a token must not stand in the spec; write it into a Secret \(kubectl create secret generic/,
  },
  'two kinds of credentials': {
    spec: { credentials: { tokenSecretRef: { name: 'a' }, ...app } },
    sentence: /credentials needs exactly one of tokenSecretRef and githubApp/,
  },
  'no credentials': {
    spec: { credentials: {} },
    sentence: /credentials needs exactly one of tokenSecretRef and githubApp/,
  },
  'a GitHub App at GitLab': {
    spec: { provider: 'GitLab', owner: { group: 'acme' }, credentials: app },
    sentence: /credentials\.githubApp is for GitHub and GitHubEnterpriseServer; use credentials\.tokenSecretRef/,
  },
  'discovery too often': {
    spec: { discovery: { interval: '10s' } },
    sentence: /discovery\.interval must lie between 1m and 168h/,
  },
  'discovery too seldom': { spec: { discovery: { interval: '8d' } }, sentence: /spec\.discovery\.interval/ },
  'clones over SSH': { spec: { clone: { protocol: 'SSH' } }, sentence: /this version clones over HTTPS only/ },
  'an unknown feature': { spec: { features: ['Magic'] }, sentence: /Unsupported value: "Magic"/ },
  'too many globs': {
    spec: { discovery: { include: Array.from({ length: 201 }, (_, index) => `acme/${index}`) } },
    sentence: /must have at most 200 items/,
  },
}

const goodCrons = [
  'None',
  'Weekly',
  'H 3 * * 1',
  '0 0 29 2 *',
  '*/15 * * * *',
  '0 0 1 JAN *',
  '0 0 * * MON-FRI',
  'H H(0-5) * * H',
  'H/10 * * * *',
  '5,35 2 1-7 * 0',
  '59 23 31 12 7',
  '00 05 01 02 *',
  // The day of the week makes it fire although the day of the month never comes.
  '0 0 30 2 1',
  '0 0 31 1,3 *',
  '0 0 30,31 4 *',
  '0 0 31 4-7 *',
]

const crons: readonly (readonly [string, RegExp])[] = [
  ['0 0 30 2 *', /would never fire, since that month has no such day; choose a day that exists/],
  ['0 0 31 4 *', /since that month has no such day/],
  ['0 0 31 FEB *', /since that month has no such day/],
  ['0 0 31 feb,Apr,11 *', /since that month has no such day/],
  ['0 0 30-31 2 *', /since that month has no such day/],
  ['0 0 30,31 02 *', /since that month has no such day/],
  ['60 * * * *', /would never fire; its minute must be 0-59/],
  ['0 24 * * *', /would never fire; its hour must be 0-23/],
  ['0 0 0 * *', /would never fire; its day must be 1-31/],
  ['0 0 32 * *', /would never fire; its day must be 1-31/],
  ['0 0 1-99 * *', /would never fire; its day must be 1-31/],
  ['0 0 * 13 *', /would never fire; its month must be 1-12 or JAN/],
  ['0 0 * * 8', /would never fire; its weekday must be 0-7 or SUN/],
  ['5,75 * * * *', /would never fire; its minute must be 0-59/],
  ['*/0 * * * *', /its minute must be 0-59/],
  ['5-3 * * * *', /would never fire, since a range ends before it begins/],
  ['0 H(5-1) * * *', /would never fire, since a range ends before it begins/],
  ['0 0 * ABC *', /its month must be 1-12 or JAN to DEC/],
  ['a b c d e', /its minute must be 0-59/],
  ['* * * *', /must be None, Weekly, or a cron expression of five fields such as/],
  ['* * * * * *', /must be None, Weekly, or a cron expression of five fields/],
  ['@daily', /must be None, Weekly, or a cron expression of five fields/],
  ['weekly', /must be None, Weekly, or a cron expression of five fields/],
]

export const goodManagedScans: Readonly<Record<string, Changes>> = {
  'the least that is possible': {},
  'policy, limits and pod settings': {
    products: ['Code'],
    policy: [{ severities: ['Critical'], rules: ['scanfleet.python.*'], action: 'Block' }],
    limits: { concurrent: 1, timeout: '90s', cpu: '500m', memory: '512Mi', disk: '10Gi', files: 10 },
    pod: {
      userNamespaces: false,
      nodeSelector: { pool: 'scans' },
      tolerations: [{ key: 'scans', operator: 'Exists' }],
    },
  },
  ...Object.fromEntries(goodCrons.map((full) => [`schedule.full ${full}`, { schedule: { full } }])),
  'a time zone': { schedule: { full: 'H 3 * * *', timeZone: 'America/Argentina/Buenos_Aires' } },
}

export const badManagedScans: Readonly<Record<string, Bad>> = {
  ...Object.fromEntries(
    crons.map(([full, sentence]) => [`schedule.full ${full}`, { spec: { schedule: { full } }, sentence }]),
  ),
  'no connection': { spec: { connectionRef: undefined }, sentence: /spec\.connectionRef: Required value/ },
  'no products': { spec: { products: [] }, sentence: /spec\.products.*should have at least 1 items/ },
  'a product twice': { spec: { products: ['Code', 'Code'] }, sentence: /Duplicate value/ },
  'an unknown product': { spec: { products: ['Licences'] }, sentence: /Unsupported value: "Licences"/ },
  'an unknown field deep inside': { spec: { limits: { ram: '1Gi' } }, sentence: /unknown field "spec\.limits\.ram"/ },
  'a timeout of nothing': {
    spec: { limits: { timeout: '0s' } },
    sentence: /limits\.timeout must lie between 1m and 24h/,
  },
  'a timeout that is too long': {
    spec: { limits: { timeout: '25h' } },
    sentence: /limits\.timeout must lie between 1m and 24h/,
  },
  'a timeout without a unit': { spec: { limits: { timeout: '30' } }, sentence: /spec\.limits\.timeout/ },
  'memory without a unit': { spec: { limits: { memory: '2' } }, sentence: /spec\.limits\.memory/ },
  'no concurrency at all': {
    spec: { limits: { concurrent: 0 } },
    sentence: /spec\.limits\.concurrent.*greater than or equal to 1/,
  },
  'a policy rule without action': {
    spec: { policy: [{ severities: ['High'] }] },
    sentence: /spec\.policy\[0\]\.action: Required value/,
  },
  'a time zone that is none': { spec: { schedule: { timeZone: 'Berlin time' } }, sentence: /spec\.schedule\.timeZone/ },
}

export const goodScanRuns: Readonly<Record<string, Changes>> = {
  'by full name': {},
  'by name, at a branch': { repository: { name: 'acme-42' }, branch: 'feature/x-1' },
  'by both, as the operator writes it': { repository: { name: 'acme-42', fullName: 'acme/shop' } },
  'at a commit': { commit: 'a'.repeat(40) },
  'at a commit of a SHA-256 repository': { commit: 'b'.repeat(64) },
}

export const badScanRuns: Readonly<Record<string, Bad>> = {
  'no repository': {
    spec: { repository: {} },
    sentence: /repository needs fullName or name, for example repository: \{fullName: acme\/shop\}/,
  },
  'an abbreviated commit': { spec: { commit: 'abc1234' }, sentence: /spec\.commit/ },
  'a branch that is an option of git': { spec: { branch: '--upload-pack=x' }, sentence: /spec\.branch/ },
  'a branch with a space': { spec: { branch: 'a b' }, sentence: /spec\.branch/ },
}
