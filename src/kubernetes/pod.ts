/**
 * The few parts of a pod that injection looks at, and where in a manifest the pod stands.
 *
 * Manifests come from people, so nothing is taken for granted: what has not the shape that is looked for counts as
 * absent, and Kubernetes itself judges the rest.
 */

/** A way through a manifest: keys of mappings and indexes of lists. */
export type Path = readonly (string | number)[]

/** Any mapping of a manifest. */
export type Mapping = Readonly<Record<string, unknown>>

/** Whether the value is a mapping. */
export const isMapping = (value: unknown): value is Mapping =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What stands at a path, or undefined. */
export const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (found, key) =>
      (isMapping(found) || Array.isArray(found)) && Object.hasOwn(found, key)
        ? (found as Readonly<Record<string | number, unknown>>)[key]
        : undefined,
    value,
  )

/** The mapping at a path; empty when there is none. */
export const mappingAt = (value: unknown, path: Path): Mapping => {
  const found = valueAt(value, path)
  return isMapping(found) ? found : {}
}

/** The mappings of the list at a path; empty when there is no list. */
export const listAt = (value: unknown, path: Path): readonly Mapping[] => {
  const found = valueAt(value, path)
  return Array.isArray(found) ? found.map((item: unknown) => (isMapping(item) ? item : {})) : []
}

/** Where the pod stands in each kind of workload; the pod has `metadata` and `spec`. */
const podPaths: Readonly<Record<string, Path>> = {
  Pod: [],
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}

/** One pod of a manifest. */
export interface FoundPod {
  /** `Deployment web`, for messages. */
  readonly title: string
  /** From the top of the document to the pod. */
  readonly path: Path
  readonly pod: Mapping
  /** Annotations of the object around the pod; empty for a bare pod. */
  readonly outerAnnotations: Mapping
  readonly namespace: string | undefined
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** Every pod of one document: that of a workload, and those of all items of a list. */
export const findPods = (document: unknown, above: Path = []): readonly FoundPod[] => {
  if (!isMapping(document)) return []
  const kind = textOf(document['kind']) ?? ''
  if (Array.isArray(document['items']) && kind.endsWith('List')) {
    return (document['items'] as unknown[]).flatMap((item, index) =>
      findPods(item, [...above, 'items', index]),
    )
  }
  const path = Object.hasOwn(podPaths, kind) ? podPaths[kind]! : undefined
  const pod = path === undefined ? undefined : valueAt(document, path)
  if (path === undefined || !isMapping(pod) || !isMapping(pod['spec'])) return []
  const metadata = mappingAt(document, ['metadata'])
  const name = textOf(metadata['name']) ?? textOf(metadata['generateName']) ?? 'without a name'
  return [
    {
      title: `${kind} ${name}`,
      path: [...above, ...path],
      pod,
      outerAnnotations: path.length === 0 ? {} : mappingAt(metadata, ['annotations']),
      namespace: textOf(metadata['namespace']),
    },
  ]
}
