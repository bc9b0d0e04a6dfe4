/**
 * Decides what injection adds to a pod, and what taking it out again removes. Pure: a pod in, additions out.
 *
 * The additions are the same whether they are written into a file for review or sent as a patch by the webhook.
 */
import { readAnnotations, statusAnnotation, type InjectSettings } from './annotations.ts'
import { isMapping, listAt, mappingAt, type FoundPod, type Mapping, type Path } from './pod.ts'
import { sidecarContainer, sidecarName, sidecarUser, sidecarVolumes } from './sidecar-parts.ts'

/** Something to put in front of a list or into a mapping, which is made when it is not there. */
export type Addition =
  | { readonly path: Path; readonly items: readonly Mapping[] }
  | { readonly path: Path; readonly entries: Mapping }

/** An environment variable that the application is given. */
export interface Variable {
  readonly name: string
  readonly value: string
}

/** How the pods of one run are changed. */
export interface InjectOptions {
  readonly defaults: InjectSettings
  readonly version: string
  /** The environment that sends an application's calls through the sidecar, given what it reaches directly. */
  readonly proxyVariables: (direct: readonly string[]) => readonly Variable[]
}

/** What is to be done with one pod. */
export type Plan =
  | {
      readonly kind: 'add'
      readonly additions: readonly Addition[]
      readonly notes: readonly string[]
    }
  | { readonly kind: 'leave'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly problems: readonly string[] }

const loopback = ['localhost', '127.0.0.1', '::1']

const serviceOf = (pod: Mapping, settings: InjectSettings): string | undefined => {
  const labels = mappingAt(pod, ['metadata', 'labels'])
  const name = settings.service ?? labels['app.kubernetes.io/name'] ?? labels['app']
  return typeof name === 'string' ? name : undefined
}

/** Names of the environment variables that a container has, or that it takes from elsewhere as a whole. */
const variableNames = (container: Mapping): ReadonlySet<unknown> =>
  new Set(listAt(container, ['env']).map((variable) => variable['name']))

interface Given {
  readonly additions: readonly Addition[]
  readonly given: Readonly<Record<string, readonly string[]>>
  readonly notes: readonly string[]
}

const environmentOf = (pod: Mapping, variables: readonly Variable[]): Given => {
  const additions: Addition[] = []
  const given: Record<string, readonly string[]> = {}
  const notes: string[] = []
  for (const list of ['initContainers', 'containers']) {
    for (const [index, container] of listAt(pod, ['spec', list]).entries()) {
      const has = variableNames(container)
      const kept = variables.filter(({ name }) => has.has(name))
      const fresh = variables.filter(({ name }) => !has.has(name))
      if (kept.length > 0) {
        const names = kept.map(({ name }) => name).join(', ')
        notes.push(`container ${String(container['name'])} keeps its own ${names}`)
      }
      given[`${list}/${String(container['name'])}`] = fresh.map(({ name }) => name)
      if (fresh.length === 0) continue
      additions.push({
        path: ['spec', list, index, 'env'],
        items: fresh.map(({ name, value }) => ({ name, value })),
      })
    }
  }
  return { additions, given, notes }
}

const clash = (pod: Mapping): readonly string[] => {
  const problems: string[] = []
  const podUser = mappingAt(pod, ['spec', 'securityContext'])['runAsUser']
  const containers = ['initContainers', 'containers'].flatMap((list) => listAt(pod, ['spec', list]))
  if (listAt(pod, ['spec', 'containers']).length === 0) problems.push('the pod has no containers')
  for (const container of containers) {
    const name = String(container['name'])
    if (name === sidecarName) {
      problems.push(`a container is called ${sidecarName} already and was not injected; rename it`)
    }
    if ((mappingAt(container, ['securityContext'])['runAsUser'] ?? podUser) === sidecarUser) {
      problems.push(`container ${name} runs as user ${sidecarUser}, which is the sidecar's`)
    }
  }
  return problems
}

/** What injection adds to a pod that was not injected, or why it adds nothing. */
export const planInjection = (found: FoundPod, options: InjectOptions): Plan => {
  const { pod, outerAnnotations } = found
  const read = readAnnotations(pod, outerAnnotations, options.defaults)
  if (read.kind === 'disabled') return { kind: 'leave', reason: 'its annotation says disabled' }
  if (mappingAt(pod, ['spec'])['hostNetwork'] === true) {
    const reason = 'it is on the network of its host, where the ports of sidecars would clash'
    return { kind: 'leave', reason }
  }
  if (read.kind === 'wrong') return { kind: 'refuse', problems: read.problems }
  const problems = clash(pod)
  if (problems.length > 0) return { kind: 'refuse', problems }
  const { settings } = read
  const direct = [...loopback, ...settings.excludeOutbound]
  const environment = environmentOf(pod, options.proxyVariables(direct))
  const volumes = sidecarVolumes(settings)
  const status = JSON.stringify({
    version: options.version,
    volumes: volumes.map((volume) => volume['name']),
    environment: environment.given,
  })
  return {
    kind: 'add',
    additions: [
      { path: ['metadata', 'annotations'], entries: { [statusAnnotation]: status } },
      ...environment.additions,
      {
        path: ['spec', 'initContainers'],
        items: [sidecarContainer(settings, serviceOf(pod, settings))],
      },
      { path: ['spec', 'volumes'], items: volumes },
    ],
    notes: environment.notes,
  }
}

/** Whether a pod carries what we injected. */
export const isInjected = (pod: Mapping): boolean =>
  Object.hasOwn(mappingAt(pod, ['metadata', 'annotations']), statusAnnotation)

const statusOf = (pod: Mapping): Mapping => {
  try {
    const text = mappingAt(pod, ['metadata', 'annotations'])[statusAnnotation]
    const status: unknown = JSON.parse(typeof text === 'string' ? text : '{}')
    return isMapping(status) ? status : {}
  } catch {
    return {}
  }
}

/** The variables that each container was given, by list and name of the container: `containers/app`. */
export const environmentGiven = (pod: Mapping): Mapping => {
  const given = statusOf(pod)['environment']
  return isMapping(given) ? given : {}
}

/** Paths of the items of a list that are ours, last first; the list itself when nothing else is in it. */
const ours = (pod: Mapping, path: Path, isOurs: (name: unknown) => boolean): readonly Path[] => {
  const items = listAt(pod, path)
  const found = items.flatMap((item, index) => (isOurs(item['name']) ? [index] : []))
  if (found.length === 0) return []
  return found.length === items.length
    ? [path]
    : found.toReversed().map((index) => [...path, index])
}

/** What to delete from an injected pod, in the order in which to delete it. */
export const planRemoval = (pod: Mapping): readonly Path[] => {
  const status = statusOf(pod)
  const volumes = new Set(Array.isArray(status['volumes']) ? (status['volumes'] as unknown[]) : [])
  const given = environmentGiven(pod)
  const variables = ['containers', 'initContainers'].flatMap((list) =>
    listAt(pod, ['spec', list]).flatMap((container, index) => {
      const names = given[`${list}/${String(container['name'])}`]
      const own = new Set(Array.isArray(names) ? (names as unknown[]) : [])
      return ours(pod, ['spec', list, index, 'env'], (name) => own.has(name))
    }),
  )
  const annotations = Object.keys(mappingAt(pod, ['metadata', 'annotations']))
  const metadata = Object.keys(mappingAt(pod, ['metadata']))
  const annotation: Path =
    annotations.length > 1
      ? ['metadata', 'annotations', statusAnnotation]
      : metadata.length > 1
        ? ['metadata', 'annotations']
        : ['metadata']
  return [
    ...variables,
    ...ours(pod, ['spec', 'initContainers'], (name) => name === sidecarName),
    ...ours(pod, ['spec', 'volumes'], (name) => volumes.has(name)),
    annotation,
  ]
}
