/**
 * Entries as Backstage entities of `kind: API` (Backstage descriptor format, `backstage.io/v1alpha1`).
 *
 * For a software catalog that people browse. The owner is for display there; who may call is decided here.
 */
import type { ApiEntry } from '../entry/entry.ts'

/** One entity, as plain values. */
export const backstageEntity = (entry: ApiEntry): Readonly<Record<string, unknown>> => {
  const { operations } = entry
  const annotations: Record<string, string> = {
    'sallyport.dev/hosts': entry.hosts.map((host) => host.text).join(','),
    'sallyport.dev/purpose': entry.purpose,
    'sallyport.dev/data-classification': entry.data.join(','),
    'sallyport.dev/callers': entry.callers.join(','),
    'sallyport.dev/review-by': entry.review_by,
  }
  if (entry.credential) annotations['sallyport.dev/credential'] = entry.credential.id
  return {
    apiVersion: 'backstage.io/v1alpha1',
    kind: 'API',
    metadata: {
      name: entry.name,
      description: entry.purpose,
      tags: ['third-party', ...entry.data.map((one) => one.replaceAll(/[^a-z0-9+#-]/g, '-'))],
      annotations,
      links: entry.links.map(({ url, title }) => ({ url, title })),
    },
    spec: {
      type: operations.some((operation) => operation.contract) ? 'openapi' : 'rest',
      lifecycle: entry.lifecycle === 'retired' ? 'deprecated' : entry.lifecycle,
      owner: entry.owner,
      // Backstage demands a definition; a list of operations is the honest one where there is no document.
      definition: operations
        .map((operation) => `${operation.method} ${operation.template}`)
        .join('\n'),
      ...(entry.depends_on.length > 0
        ? { dependsOn: entry.depends_on.map((name) => `api:${name}`) }
        : {}),
    },
  }
}

/** All entities as one YAML stream. */
export const backstageText = (entries: readonly ApiEntry[]): string =>
  entries.map((entry) => `---\n${yamlText(backstageEntity(entry))}`).join('')

/** Plain values as block YAML; every text is quoted as JSON, which YAML 1.2 reads the same way. */
export const yamlText = (value: unknown, indent = ''): string => {
  if (Array.isArray(value)) {
    return value
      .map((item) =>
        isScalarOrEmpty(item)
          ? `${indent}- ${scalar(item)}\n`
          : `${indent}-\n${yamlText(item, `${indent}  `)}`,
      )
      .join('')
  }
  return Object.entries(value as Record<string, unknown>)
    .filter(([, member]) => member !== undefined)
    .map(([key, member]) => {
      const name = /^[A-Za-z_][A-Za-z0-9_./-]*$/.test(key) ? key : JSON.stringify(key)
      return isScalarOrEmpty(member)
        ? `${indent}${name}: ${scalar(member)}\n`
        : `${indent}${name}:\n${yamlText(member, `${indent}  `)}`
    })
    .join('')
}

const isScalarOrEmpty = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || Object.keys(value).length === 0

const scalar = (value: unknown): string =>
  typeof value === 'string' &&
  /^[A-Za-z][A-Za-z0-9-]*$/.test(value) &&
  !/^(true|false|null|yes|no|on|off|y|n)$/i.test(value)
    ? value
    : JSON.stringify(value)
