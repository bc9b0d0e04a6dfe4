/** The YAML that an author would add to allow what was just refused. Text only; nobody applies it by itself. */

const slug = (host: string): string => {
  const name = host.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, '')
  return (name || 'api').slice(0, 63).replace(/-+$/, '')
}

/** A name for the entry of a host: `api.example.com` gives `api-example-com`. */
export const entryName = slug

/** A complete entry for an undeclared host; the author fills in owner, purpose and the rest. */
export const draftEntryText = (host: string, port: number): string => {
  const name = slug(host)
  return [
    `# policies/apis/${name}.yaml`,
    `name: ${name}`,
    'owner: group:who-answers-for-it',
    'purpose: why we call it',
    'callers: [spiffe://trust-domain/workload]',
    `hosts: ['${host.includes(':') ? `[${host}]` : host}:${port}']`,
    'operations:',
    '  - GET /path/{id}',
    'review_by: 2027-12-31',
    '',
  ].join('\n')
}

/** A line for an undeclared operation, with segments that look like identifiers replaced by parameters. */
export const draftOperationText = (method: string, path: string): string =>
  `operations:\n  - ${method} ${draftTemplate(path)}\n`

const identifier = /^(\d+|[0-9a-f]{8,}|[0-9a-f-]{32,36}|(?=.*\d)[A-Za-z0-9_-]{6,})$/i

/** A path template of which segments with the look of an identifier are parameters; no value survives in it. */
export const draftTemplate = (path: string): string => {
  const used = new Map<string, number>()
  const segments = path.split('/').map((segment, index, all) => {
    if (!identifier.test(segment) && /^[A-Za-z0-9._~-]*$/.test(segment)) return segment
    if (/^v\d+(\.\d+)*$/.test(segment)) return segment
    const before = (all[index - 1] ?? '').replace(/s$/, '').replaceAll(/[^A-Za-z0-9]/g, '_')
    const name =
      before === '' || before.startsWith('{') || /^v\d/.test(before) ? 'id' : `${before}_id`
    const seen = used.get(name) ?? 0
    used.set(name, seen + 1)
    return `{${seen === 0 ? name : `${name}_${seen + 1}`}}`
  })
  return segments.join('/')
}
