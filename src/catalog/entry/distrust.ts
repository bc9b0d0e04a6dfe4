/** Limits on what crosses in either direction, always on. Shape and defaults only; `distrust/` applies them. */
import { z } from 'zod'
import { size } from '../../units.ts'

const count = z.int().positive()

/** The `distrust` part of an entry. */
export const distrust = z
  .strictObject({
    request_size: size().prefault('10MiB').describe('Longest request body.'),
    response_size: size().prefault('10MiB').describe('Longest answer body, as it travels.'),
    response_header_count: count.default(100).describe('Most headers in an answer.'),
    response_header_size: size().prefault('16KiB').describe('Longest header section of an answer.'),
    decompressed_size: size()
      .prefault('10MiB')
      .describe('Longest answer body after decompression, when a check needs to see it.'),
    decompression_ratio: count
      .default(100)
      .describe('Most bytes that one compressed byte may become.'),
    json_depth: count.default(64).describe('Deepest nesting of JSON.'),
    json_keys: count.default(10_000).describe('Most object members in a JSON document.'),
    json: z
      .enum(['off', 'observe', 'enforce'])
      .default('enforce')
      .describe('Depth, key count, duplicate keys, prototype keys and UTF-8 of JSON answers.'),
    content_types: z
      .array(z.string())
      .default([])
      .describe('Media types that an answer may have; empty: those of the contract, or any.'),
  })
  .prefault({})
  .describe('Distrust of what comes back.')

/** Limits on one API's traffic, in bytes and counts. */
export type DistrustSettings = z.infer<typeof distrust>
