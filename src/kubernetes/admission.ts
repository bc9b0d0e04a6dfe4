/**
 * Answers an AdmissionReview (admission.k8s.io/v1) with the change that injection makes to its pod. Pure.
 *
 * Which pods are asked about is for the webhook configuration to say; a review of something else is allowed as it is.
 * A pod whose annotations are wrong is not admitted, with the reason, since one that runs without its sidecar would
 * look as if it were guarded.
 */
import { addTo, removeAt } from './edit-value.ts'
import { patchOf, replacementOf, type Operation } from './json-patch.ts'
import { findPods, isMapping, listAt, mappingAt, type FoundPod, type Mapping } from './pod.ts'
import {
  environmentGiven,
  isInjected,
  planInjection,
  planRemoval,
  type InjectOptions,
} from './plan.ts'
import { sidecarName } from './sidecar-parts.ts'

const apiVersion = 'admission.k8s.io/v1'

/** What was decided about one review. */
export interface Admission {
  /** The AdmissionReview to answer with. */
  readonly review: Mapping
  readonly outcome: 'injected' | 'unchanged' | 'left' | 'refused'
  /** `Pod web-… in shop`, for the log. */
  readonly title: string
  readonly notes: readonly string[]
}

/** What was sent is not a review. */
export class ReviewError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ReviewError'
  }
}

interface Verdict {
  readonly outcome: Admission['outcome']
  readonly operations: readonly Operation[]
  readonly notes: readonly string[]
}

const hasSidecar = (pod: Mapping): boolean =>
  listAt(pod, ['spec', 'initContainers']).some(({ name }) => name === sidecarName)

/** Whether every container was there when the pod was injected; a later webhook may have added one. */
const coversAll = (pod: Mapping): boolean => {
  const given = environmentGiven(pod)
  return ['containers', 'initContainers'].every((list) =>
    listAt(pod, ['spec', list]).every(
      ({ name }) => name === sidecarName || Object.hasOwn(given, `${list}/${String(name)}`),
    ),
  )
}

const judge = (found: FoundPod, options: InjectOptions): Verdict => {
  const { pod } = found
  const again = isInjected(pod)
  if (again && hasSidecar(pod) && coversAll(pod)) {
    return { outcome: 'unchanged', operations: [], notes: [] }
  }
  const bare = again ? structuredClone(pod) : pod
  if (again) for (const path of planRemoval(pod)) removeAt(bare, path)
  const plan = planInjection({ ...found, pod: bare }, options)
  switch (plan.kind) {
    case 'leave':
      return { outcome: 'left', operations: [], notes: [plan.reason] }
    case 'refuse':
      return { outcome: 'refused', operations: [], notes: plan.problems }
    case 'add': {
      if (!again) {
        return { outcome: 'injected', operations: patchOf(pod, plan.additions), notes: plan.notes }
      }
      for (const addition of plan.additions) addTo(bare, addition)
      return { outcome: 'injected', operations: replacementOf(pod, bare), notes: plan.notes }
    }
  }
}

const responseOf = ({ outcome, operations, notes }: Verdict, uid: string): Mapping => {
  if (outcome === 'refused') {
    const message = `sallyport cannot inject this pod: ${notes.join('; ')}`
    return { uid, allowed: false, status: { code: 422, reason: 'Invalid', message } }
  }
  const warnings = outcome === 'injected' ? notes.map((note) => `sallyport: ${note}`) : []
  return {
    uid,
    allowed: true,
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(operations.length === 0
      ? {}
      : {
          patchType: 'JSONPatch',
          patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
        }),
  }
}

/**
 * Answers one review.
 *
 * @throws ReviewError when the value is not an AdmissionReview of version v1 with a request
 */
export const admit = (value: unknown, options: InjectOptions): Admission => {
  if (!isMapping(value) || value['kind'] !== 'AdmissionReview') {
    throw new ReviewError('expected an AdmissionReview')
  }
  if (value['apiVersion'] !== apiVersion) {
    throw new ReviewError(`expected ${apiVersion}, got ${String(value['apiVersion'])}`)
  }
  const request = mappingAt(value, ['request'])
  const { uid } = request
  if (typeof uid !== 'string') throw new ReviewError('expected a request with a uid')
  // In a review the kind stands beside the object as well, and only there in some versions of the API server.
  const object = mappingAt(request, ['object'])
  const kind = object['kind'] ?? mappingAt(request, ['kind'])['kind']
  const [found] = findPods({ ...object, kind })
  const verdict: Verdict =
    found === undefined || found.path.length > 0
      ? { outcome: 'left', operations: [], notes: [`it is no pod but ${String(kind)}`] }
      : judge({ ...found, pod: object }, options)
  const namespace = request['namespace']
  return {
    review: { apiVersion, kind: 'AdmissionReview', response: responseOf(verdict, uid) },
    outcome: verdict.outcome,
    title: `${found?.title ?? String(kind)}${typeof namespace === 'string' ? ` in ${namespace}` : ''}`,
    notes: verdict.notes,
  }
}
