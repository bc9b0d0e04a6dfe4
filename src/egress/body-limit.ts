/** How much of a request body has to be held before the call may leave: only where something must see it whole. */
import { signsBody } from '../catalog/credential/attach.ts'
import type { ServerRequest } from '../wire/message.ts'
import type { ApiMatched } from './match-api.ts'

/** Bytes to hold at most, or undefined to let the body stream. */
export const bodyLimitOf = ({
  api,
}: ApiMatched & { readonly request: ServerRequest }): number | undefined =>
  api.entry !== undefined && signsBody(api.entry.authentication)
    ? api.entry.distrust.request_size
    : undefined
