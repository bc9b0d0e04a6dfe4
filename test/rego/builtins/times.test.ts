import { expect, test } from 'vitest'
import { call, refusal } from './call.ts'

const moment = 1670006453141828752n

test('an instant is shown in a zone and by a layout', () => {
  expect(call('time.format', moment)).toBe('2022-12-02T18:40:53.141828752Z')
  expect(call('time.format', [moment, 'Asia/Kolkata', 'RFC1123Z'])).toBe(
    'Sat, 03 Dec 2022 00:10:53 +0530',
  )
  expect(
    call('time.format', [moment, 'America/New_York', 'Monday _2 Jan 06 3:04PM MST .000']),
  ).toBe('Friday  2 Dec 22 1:40PM EST .141')
  expect(refusal('time.format', [moment, 'Mars/Base'])).toBe(
    'eval_builtin_error: time.format: unknown time zone Mars/Base',
  )
  expect(refusal('time.format', 2n ** 63n)).toBe(
    'eval_builtin_error: time.format: timestamp too big',
  )
})

test('a text is read by a layout, whole and in range', () => {
  expect(call('time.parse_ns', '2006-01-02', '2020-02-29')).toBe(1582934400000000000n)
  expect(call('time.parse_rfc3339_ns', '1970-01-01T00:00:00.5+01:00')).toBe(-3599500000000)
  expect(refusal('time.parse_ns', '2006-01-02', '2021-02-29')).toMatch(/day out of range/)
  expect(refusal('time.parse_ns', '2006-01-02', '2021-02-2x')).toMatch(/cannot parse/)
  expect(refusal('time.parse_ns', '2006-01-02', '2021-02-20Z')).toMatch(/extra text: "Z"/)
  expect(refusal('time.parse_rfc3339_ns', '2262-04-11T23:47:16.854775808Z')).toMatch(
    /time outside of valid range/,
  )
})

test('durations have Go units and days, weeks and years', () => {
  expect(call('time.parse_duration_ns', '1h15m30.918s')).toBe(4530918000000)
  expect(call('time.parse_duration_ns', '-1.5d')).toBe(-129600000000000)
  expect(refusal('time.parse_duration_ns', '5')).toMatch(/missing unit in duration "5"/)
  expect(refusal('time.parse_duration_ns', '5q')).toMatch(/unknown unit "q" in duration "5q"/)
  expect(refusal('time.parse_duration_ns', '')).toMatch(/invalid duration ""/)
})

test('dates are added and compared by the calendar', () => {
  expect(call('time.add_date', 1585852421593912000n, 3, 9, 12)).toBe(1705257221593912000n)
  expect(call('time.date', [1517814000000000000n, 'America/Los_Angeles'])).toEqual([2018, 2, 4])
  expect(call('time.diff', 1580601600000000000n, 1583020800000000000n)).toEqual([0, 0, 28, 0, 0, 0])
  expect(refusal('time.add_date', 0, 2262, 1, 1)).toMatch(/time outside of valid range/)
  expect(refusal('time.add_date', 0, 9e15, 0, 0)).toMatch(/time outside of valid range/)
})

test('a clock time that a zone skips moves on', () => {
  // 2021-03-13 02:30 in New York, and a day later the clocks go from 02:00 to 03:00.
  const before = call('time.parse_rfc3339_ns', '2021-03-13T02:30:00-05:00')!
  const after = call('time.add_date', [before, 'America/New_York'], 0, 0, 1)!
  expect(call('time.format', [after, 'America/New_York'])).toBe('2021-03-14T03:30:00-04:00')
})
