/** Applies additions and removals to plain data: the pods of the webhook, and manifests written as JSON. */
import { isMapping, type Path } from './pod.ts'
import type { Addition } from './plan.ts'

type Container = Record<string | number, unknown>

const containerAt = (value: unknown, path: Path): Container =>
  path.reduce<Container>((found, key) => found[key] as Container, value as Container)

/** Deletes what stands at a path of `value`, in place. */
export const removeAt = (value: unknown, path: Path): void => {
  const parent = containerAt(value, path.slice(0, -1))
  const key = path.at(-1)!
  if (Array.isArray(parent)) parent.splice(Number(key), 1)
  else delete parent[key]
}

/** Makes an addition to `value`, in place. */
export const addTo = (value: unknown, addition: Addition): void => {
  let target = value as Container
  for (const key of addition.path.slice(0, -1)) {
    if (!isMapping(target[key]) && !Array.isArray(target[key])) target[key] = {}
    target = target[key] as Container
  }
  const key = addition.path.at(-1)!
  const found = target[key]
  if ('items' in addition) {
    target[key] = [...addition.items, ...(Array.isArray(found) ? (found as unknown[]) : [])]
  } else {
    target[key] = { ...(isMapping(found) ? found : {}), ...addition.entries }
  }
}
