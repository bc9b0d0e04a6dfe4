/**
 * Judges what leaves: size, and the contract when the entry validates requests.
 *
 * For the egress line, before the policy. What the bytes say (keys, data classes) is the leak guard's part.
 */
import { isJsonType, mediaType } from '../contract/media-type.ts'
import type { ApiEntry, Operation } from '../entry/entry.ts'
import { decompress } from './decompress.ts'
import { headerValues } from './finding.ts'
import type { BodyVerdict, Finding } from './finding.ts'
import { scanJson } from './json-scanner.ts'

/** A request on its way out. */
export interface DepartingRequest {
  readonly method: string
  /** Decoded path parameters. */
  readonly parameters: Readonly<Record<string, string>>
  readonly query: string
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** The finding for a request body over the limit. */
export const requestTooLarge = (entry: ApiEntry): Finding => ({
  code: 'request.too-large',
  reason: 'request-size',
  detail: `the request to ${entry.name} is longer than ${entry.distrust.request_size} bytes`,
  hint: `raise distrust.request_size in ${entry.file} if it is meant`,
})

/** Whether the body must be held for the contract, and how much of it may come. */
export const planRequest = (
  entry: ApiEntry,
  operation: Operation,
  request: DepartingRequest,
):
  | { readonly decision: 'stream' | 'hold'; readonly limit: number }
  | { readonly decision: 'refuse'; readonly finding: Finding } => {
  const limit = entry.distrust.request_size
  if (Number(headerValues(request.headers, 'content-length')[0] ?? 0) > limit)
    return { decision: 'refuse', finding: requestTooLarge(entry) }
  return {
    decision: entry.validation.request !== 'off' && operation.check ? 'hold' : 'stream',
    limit,
  }
}

/** Judges a request; `body` is undefined when it streams, empty when there is none. The bytes are never changed. */
export const judgeRequest = async (
  entry: ApiEntry,
  operation: Operation,
  request: DepartingRequest,
  body: Buffer | undefined,
): Promise<BodyVerdict> => {
  const mode = entry.validation.request
  const passed = {
    decision: 'pass',
    body: body ?? Buffer.alloc(0),
    rewritten: 'no',
    redactions: 0,
  } as const
  if (body && body.length > entry.distrust.request_size)
    return { decision: 'refuse', finding: requestTooLarge(entry), observed: [] }
  if (mode === 'off' || !operation.check) return { ...passed, observed: [], schemaValid: undefined }
  const finding = await findingIn(entry, operation, request, body)
  if (!finding) return { ...passed, observed: [], schemaValid: true }
  return mode === 'enforce'
    ? { decision: 'refuse', finding, observed: [] }
    : { ...passed, observed: [finding], schemaValid: false }
}

const findingIn = async (
  entry: ApiEntry,
  operation: Operation,
  request: DepartingRequest,
  body: Buffer | undefined,
): Promise<Finding | undefined> => {
  const finding = (reason: string, detail: string): Finding => ({
    code: 'api.request-contract',
    reason,
    detail: `the request to ${entry.name} (${operation.id}) breaks the contract: ${detail}`,
    hint: `compare it with the contract named in ${entry.file}`,
  })
  let plain = body
  if (body) {
    const { decompressed_size: size, decompression_ratio: ratio } = entry.distrust
    const opened = await decompress(
      body,
      headerValues(request.headers, 'content-encoding').join(', '),
      { size, ratio },
    )
    if (opened.kind === 'refused') return finding(opened.reason, opened.detail)
    plain = opened.body
  }
  const isJson = isJsonType(mediaType(headerValues(request.headers, 'content-type')[0] ?? ''))
  if (isJson && plain && plain.length > 0) {
    const fault = scanJson(plain, {
      depth: entry.distrust.json_depth,
      keys: entry.distrust.json_keys,
    })
    if (fault) return finding(fault.reason, fault.detail)
  }
  const violation = operation.check!.request({ ...request, body: plain })[0]
  return (
    violation && finding(`request-${violation.place}`, `${violation.detail} (${violation.rule})`)
  )
}
