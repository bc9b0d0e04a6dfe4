/**
 * Takes out of the request what must not reach a third party: tracing, cookies, identity, anything of the mesh.
 *
 * Before everything but the trace, so that policy, contract and leak guard judge the request that would really leave.
 * The classes of data that the app names for its request are kept aside for the stage that matches the API.
 */
import type { Stage } from '../exchange/line.ts'
import { staysInside } from '../stages/strip-headers.ts'
import type { ServerRequest } from '../wire/message.ts'

/** The facts that this stage learns. */
export interface InternalStripped {
  /** Data classes that the app says are in the request. */
  readonly declaredData: readonly string[]
}

/** The stage. `dataClassHeader` is the header in which the app names data classes. */
export const stripInternal = (
  dataClassHeader: string,
): Stage<{ readonly request: ServerRequest }, InternalStripped> => ({
  name: 'strip-internal',
  run: ({ request }) => {
    const { headers } = request.head
    const declaredData = headers
      .all(dataClassHeader)
      .flatMap((value) => value.split(','))
      .map((name) => name.trim())
      .filter((name) => name !== '')
    headers.deleteWhere((name) => name === dataClassHeader || staysInside(name))
    return { declaredData }
  },
})
