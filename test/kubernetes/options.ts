/** How the tests inject: the defaults of the command line. */
import { environmentFor } from '../../src/cli/commands/env.ts'
import { defaultSettings } from '../../src/kubernetes/annotations.ts'
import type { InjectOptions } from '../../src/kubernetes/plan.ts'

/** The options. */
export const injectOptions: InjectOptions = {
  defaults: defaultSettings('sallyport:test'),
  version: 'test',
  proxyVariables: (direct) =>
    environmentFor({
      listener: '127.0.0.1:15001',
      direct: direct.join(','),
      ca: undefined,
      bundle: undefined,
    }),
}
