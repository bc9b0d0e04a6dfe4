/**
 * The annotations by which a pod says how it wants its sidecar, read into settings.
 *
 * An annotation that starts with our prefix and is not known, or whose value is not understood, is a problem that
 * stops the injection: a misspelt exclusion must not be silently nothing. Does not check that what an annotation names
 * exists in the cluster.
 */
import { isMapping, type Mapping } from './pod.ts'

/** What all our annotations begin with. */
export const prefix = 'sallyport.dev/'

/** The annotation that tells what was injected; `uninject` reads it. */
export const statusAnnotation = `${prefix}status`

/** Where the certificate of the workload comes from. */
export type IdentityMount =
  | { readonly kind: 'spire' }
  | { readonly kind: 'cert-manager' }
  | { readonly kind: 'secret'; readonly name: string }
  | { readonly kind: 'none' }

/** How one pod gets its sidecar. */
export interface InjectSettings {
  readonly image: string
  /** Config map with `sallyport.yaml`. */
  readonly config: string
  /** Config map with the Rego policies and their data. */
  readonly policy: string | undefined
  /** Config map with the entries of third-party APIs. */
  readonly apis: string | undefined
  readonly identity: IdentityMount
  /** Name under which the application shows; taken from the labels when absent. */
  readonly service: string | undefined
  /** Port of the application, in place of `inbound.app.address`. */
  readonly appPort: number | undefined
  /** Hosts and ranges that the application reaches directly, besides loopback. */
  readonly excludeOutbound: readonly string[]
  readonly cpu: string
  readonly memory: string
  readonly memoryLimit: string
  /** Audience of the projected service account token. */
  readonly tokenAudience: string
}

/** What is used where no annotation says otherwise. */
export const defaultSettings = (image: string): InjectSettings => ({
  image,
  config: 'sallyport',
  policy: undefined,
  apis: undefined,
  identity: { kind: 'spire' },
  service: undefined,
  appPort: undefined,
  excludeOutbound: [],
  cpu: '50m',
  memory: '96Mi',
  memoryLimit: '192Mi',
  tokenAudience: 'sallyport',
})

/** Settings that were read, or why they could not be. */
export type ReadSettings =
  | { readonly kind: 'settings'; readonly settings: InjectSettings }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'wrong'; readonly problems: readonly string[] }

type Change = Partial<InjectSettings> | string

const objectName = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
const quantity = /^\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi)?$/
const imageName = /^[\w][\w.:/@-]{0,510}$/
const host = /^[\w*.:-]+(\/\d{1,3})?$/

const named =
  (key: 'config' | 'policy' | 'apis') =>
  (text: string): Change =>
    objectName.test(text) ? { [key]: text } : 'the name of a config map'

const amount =
  (key: 'cpu' | 'memory' | 'memoryLimit') =>
  (text: string): Change =>
    quantity.test(text) ? { [key]: text } : 'a quantity such as 50m or 96Mi'

/** Reads `spire`, `cert-manager`, `secret:NAME` or `none`. */
export const parseIdentity = (text: string): IdentityMount | undefined => {
  if (text === 'spire' || text === 'cert-manager' || text === 'none') return { kind: text }
  const name = /^secret:(.+)$/.exec(text)?.[1]
  return name !== undefined && objectName.test(name) ? { kind: 'secret', name } : undefined
}

const port = (text: string): number | undefined => {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= 65_535 ? value : undefined
}

const words = (text: string): readonly string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

const excluded = (text: string, settings: InjectSettings): Change =>
  words(text).every((word) => host.test(word))
    ? { excludeOutbound: [...settings.excludeOutbound, ...words(text)] }
    : 'hosts, host:port or address ranges, separated by commas'

const noEffect = (text: string): Change =>
  text === '' ? {} : 'nothing: without capture of all traffic, exclude hosts and not ports'

/** Each annotation: the settings that its value changes, or what was expected instead. */
const readers: Readonly<Record<string, (text: string, settings: InjectSettings) => Change>> = {
  inject: (text) =>
    ['enabled', 'disabled', 'true', 'false'].includes(text) ? {} : 'enabled or disabled',
  image: (text) => (imageName.test(text) ? { image: text } : 'the name of an image'),
  config: named('config'),
  policy: named('policy'),
  apis: named('apis'),
  identity: (text) => {
    const identity = parseIdentity(text)
    return identity ? { identity } : 'spire, cert-manager, secret:NAME or none'
  },
  service: (text) => (objectName.test(text) ? { service: text } : 'a name in lower case'),
  'app-port': (text) => {
    const appPort = port(text)
    return appPort === undefined ? 'a port' : { appPort }
  },
  mode: (text) => (text === 'proxy' ? {} : 'proxy'),
  'exclude-outbound-hosts': excluded,
  'exclude-outbound-cidrs': excluded,
  'exclude-outbound-ports': noEffect,
  cpu: amount('cpu'),
  memory: amount('memory'),
  'memory-limit': amount('memoryLimit'),
  'token-audience': (text) => (text === '' ? 'an audience' : { tokenAudience: text }),
  status: () => ({}),
}

/** Names of the annotations, without the prefix. */
export const annotationNames: readonly string[] = Object.keys(readers)

/** Reads the annotations of a pod over the defaults; those of the object around it count where the pod has none. */
export const readAnnotations = (
  pod: Mapping,
  outer: Mapping,
  defaults: InjectSettings,
): ReadSettings => {
  const metadata = pod['metadata']
  const own =
    isMapping(metadata) && isMapping(metadata['annotations']) ? metadata['annotations'] : {}
  const problems: string[] = []
  let settings = defaults
  for (const [key, value] of Object.entries({ ...outer, ...own })) {
    if (!key.startsWith(prefix)) continue
    const name = key.slice(prefix.length)
    const text = typeof value === 'string' ? value : undefined
    const read = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (!read) {
      problems.push(`no annotation is called ${key}; there are ${Object.keys(readers).join(', ')}`)
      continue
    }
    const change = text === undefined ? 'text in quotes' : read(text, settings)
    if (typeof change === 'string') {
      problems.push(`${key}: expected ${change}, got ${JSON.stringify(value)}`)
    } else settings = { ...settings, ...change }
  }
  const wish = own[`${prefix}inject`] ?? outer[`${prefix}inject`]
  if (wish === 'disabled' || wish === 'false') return { kind: 'disabled' }
  return problems.length > 0 ? { kind: 'wrong', problems } : { kind: 'settings', settings }
}
