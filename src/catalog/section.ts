/** The `apis` section of the configuration: where the catalog is and what holds for all of its entries. */
import { z } from 'zod'
import { duration, size } from '../units.ts'
import { patternFault } from './pattern-safety.ts'

const expression = z.string().refine((text) => patternFault(text) === undefined, {
  error: 'expected a regular expression without a repeated repeat',
})

const pattern = z.strictObject({
  name: z.string().min(1).describe('Name in refusals and audit records.'),
  pattern: expression.describe('Regular expression for the secret or the data.'),
  may_go_to: z.array(z.string()).default([]).describe('Entries that may receive it.'),
})

/** The `apis` section. */
export const apisSection = z
  .strictObject({
    directory: z
      .string()
      .default('policies/apis')
      .describe('Folder with one YAML file per third-party API.'),
    mode: z
      .enum(['enforce', 'observe'])
      .default('enforce')
      .describe(
        'observe lets undeclared calls pass, never to a guarded address, and learns from them.',
      ),
    review_warning: duration()
      .prefault('14d')
      .describe('How long before review_by a review is announced.'),
    data_class_header: z
      .string()
      .default('x-sallyport-data')
      .describe(
        'Header in which the app names the data classes of a request; removed before it leaves.',
      ),
    data_classes: z
      .record(
        z.string(),
        z.strictObject({
          description: z.string().default('').describe('What it covers.'),
          detect: z
            .array(z.enum(['card-number', 'iban', 'email']))
            .default([])
            .describe('Built-in detectors.'),
          patterns: z.array(expression).default([]).describe('Regular expressions that reveal it.'),
        }),
      )
      .default({})
      .describe('Data classes and how they are recognised in a request.'),
    leak_guard: z
      .strictObject({
        mode: z
          .enum(['off', 'observe', 'enforce'])
          .default('enforce')
          .describe('What to do with a key on its way to another host.'),
        body_limit: size().prefault('256KiB').describe('How much of a body is looked at.'),
        patterns: z.array(pattern).default([]).describe('Further secrets to look for.'),
      })
      .prefault({})
      .describe('Known keys and declared patterns in what goes to other hosts.'),
    ledger_file: z
      .string()
      .optional()
      .describe('File that keeps first and last use of each key over restarts.'),
    discovery: z
      .strictObject({
        file: z.string().optional().describe('File that keeps what was learned over restarts.'),
        hosts: z.int().positive().default(500).describe('Most hosts that are remembered.'),
        shapes: z
          .int()
          .positive()
          .default(200)
          .describe('Most path shapes that are remembered per host.'),
      })
      .prefault({})
      .describe('What is learned in observe mode, without values.'),
  })
  .prefault({})
  .describe('Third-party APIs.')

/** The parsed `apis` section; times in milliseconds, sizes in bytes. */
export type ApisSection = z.infer<typeof apisSection>
