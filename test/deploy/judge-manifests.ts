/**
 * What must fit together in a set of Kubernetes manifests: names that refer to each other, labels that select.
 *
 * The API server would take most of these faults, and the pods would not work. Fields and types are for the types of
 * Kubernetes themselves to judge, in `kubernetes-types`.
 */
import { parseAllDocuments } from 'yaml'
import { isMapping, listAt, mappingAt, valueAt, type Mapping } from '../../src/kubernetes/pod.ts'

/** The objects of a stream. @throws when it is not YAML */
export const objectsOf = (text: string): readonly Mapping[] =>
  parseAllDocuments(text).flatMap((document) => {
    if (document.errors.length > 0) throw document.errors[0]!
    const value = document.toJS() as unknown
    return isMapping(value) ? [value] : []
  })

const selects = (selector: Mapping, labels: Mapping): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value)

const containersOf = (pod: Mapping): readonly Mapping[] => [
  ...listAt(pod, ['spec', 'initContainers']),
  ...listAt(pod, ['spec', 'containers']),
]

const judgePod = (pod: Mapping, title: string): readonly string[] => {
  const volumes = listAt(pod, ['spec', 'volumes']).map(({ name }) => name)
  const faults: string[] = []
  if (new Set(volumes).size !== volumes.length) faults.push(`${title}: two volumes of one name`)
  const names = containersOf(pod).map(({ name }) => name)
  if (new Set(names).size !== names.length) faults.push(`${title}: two containers of one name`)
  for (const container of containersOf(pod)) {
    const where = `${title}, container ${String(container['name'])}`
    const ports = listAt(container, ['ports']).map(({ name }) => name)
    if (typeof container['image'] !== 'string') faults.push(`${where} has no image`)
    for (const { name } of listAt(container, ['volumeMounts'])) {
      if (!volumes.includes(name))
        faults.push(`${where} mounts ${String(name)}, which is no volume`)
    }
    for (const name of ports) {
      if (!/^[a-z0-9-]{1,15}$/.test(String(name))) faults.push(`${where}: port ${String(name)}`)
    }
    for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
      const port = valueAt(container, [probe, 'httpGet', 'port'])
      if (typeof port === 'string' && !ports.includes(port)) {
        faults.push(`${where}: ${probe} asks port ${port}, which is not there`)
      }
    }
  }
  return faults
}

/** The pod of a workload, or of a bare pod. */
const podOf = (object: Mapping): Mapping | undefined => {
  if (object['kind'] === 'Pod') return object
  const template = valueAt(object, ['spec', 'template'])
  return isMapping(template) ? template : undefined
}

/** What does not fit, one line each; empty when all is well. */
export const judgeManifests = (objects: readonly Mapping[]): readonly string[] => {
  const titleOf = (object: Mapping): string =>
    `${String(object['kind'])} ${String(valueAt(object, ['metadata', 'name']))}`
  const pods = objects.flatMap((object): readonly Mapping[] => {
    const pod = podOf(object)
    return pod ? [pod] : []
  })
  const services = objects.filter(({ kind }) => kind === 'Service')
  const seen = new Set<string>()
  return objects.flatMap((object) => {
    const title = titleOf(object)
    const faults: string[] = []
    const place = `${String(valueAt(object, ['metadata', 'namespace']))}/${title}`
    if (seen.has(place)) faults.push(`${title} is there twice`)
    seen.add(place)
    const pod = podOf(object)
    if (pod) faults.push(...judgePod(pod, title))
    const selector = mappingAt(object, ['spec', 'selector', 'matchLabels'])
    if (pod && object['kind'] !== 'Pod' && Object.keys(selector).length > 0) {
      if (!selects(selector, mappingAt(pod, ['metadata', 'labels']))) {
        faults.push(`${title} does not select its own pods`)
      }
    }
    if (object['kind'] === 'Service') {
      const chosen = pods.filter((each) =>
        selects(mappingAt(object, ['spec', 'selector']), mappingAt(each, ['metadata', 'labels'])),
      )
      if (chosen.length !== 1) faults.push(`${title} selects ${chosen.length} kinds of pods`)
      const ports = chosen
        .flatMap((each) => containersOf(each))
        .flatMap((each) => listAt(each, ['ports']))
      for (const { targetPort } of listAt(object, ['spec', 'ports'])) {
        if (!ports.some(({ name }) => name === targetPort)) {
          faults.push(`${title} leads to port ${String(targetPort)}, which no pod has`)
        }
      }
    }
    for (const webhook of listAt(object, ['webhooks'])) {
      const wanted = mappingAt(webhook, ['clientConfig', 'service'])
      const found = services.some(
        ({ metadata }) =>
          isMapping(metadata) &&
          metadata['name'] === wanted['name'] &&
          metadata['namespace'] === wanted['namespace'],
      )
      if (!found) faults.push(`${title} asks service ${String(wanted['name'])}, which is not there`)
    }
    return faults
  })
}
