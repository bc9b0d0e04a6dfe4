import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closeFrame, FrameTracker } from '../../../src/wire/websocket-frames.ts'
import { clientFrame, serverFrame } from '../../support/websocket-echo.ts'

const frameOf = fc
  .record({ size: fc.integer({ min: 0, max: 70_000 }), masked: fc.boolean() })
  .map(({ size, masked }) => {
    const payload = Buffer.alloc(Math.min(size, 65_535), 1)
    return masked ? clientFrame(2, payload) : serverFrame(2, payload)
  })

describe('the boundaries of frames', () => {
  it('are found however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(frameOf, { minLength: 1, maxLength: 4 }),
        fc.array(fc.nat(), { maxLength: 6 }),
        (frames, cuts) => {
          const bytes = Buffer.concat(frames)
          const ends = new Set<number>()
          let end = 0
          for (const each of frames) ends.add((end += each.length))
          const tracker = new FrameTracker()
          const places = [...cuts.map((cut) => cut % bytes.length), bytes.length].toSorted(
            (a, b) => a - b,
          )
          let at = 0
          for (const place of places) {
            const first = tracker.push(bytes.subarray(at, place))
            const expected = [...ends].find((each) => each > at && each <= place)
            expect(first).toBe(expected === undefined ? -1 : expected - at)
            expect(tracker.atBoundary).toBe(place === 0 || ends.has(place))
            at = place
          }
        },
      ),
      { numRuns: 200 },
    )
  })

  it('read lengths of eight bytes', () => {
    const tracker = new FrameTracker()
    expect(tracker.push(Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]))).toBe(-1)
    expect(tracker.push(Buffer.alloc(65_535))).toBe(-1)
    expect(tracker.push(Buffer.alloc(3))).toBe(1)
  })

  it('give close frames that are whole themselves, masked where a client speaks', () => {
    for (const form of ['masked', 'plain'] as const) {
      const bytes = closeFrame(1008, form)
      expect(new FrameTracker().push(bytes)).toBe(bytes.length)
      expect((bytes[1]! & 0x80) !== 0).toBe(form === 'masked')
    }
    expect(closeFrame(1008, 'plain').readUInt16BE(2)).toBe(1008)
  })
})
