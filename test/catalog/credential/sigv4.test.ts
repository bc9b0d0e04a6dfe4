import { describe, expect, it } from 'vitest'
import { amzDate, sha256Hex, sigV4Authorization } from '../../../src/catalog/credential/sigv4.ts'
import { Secret } from '../../../src/secret.ts'

const signature = (authorization: string): string =>
  /Signature=([0-9a-f]{64})$/.exec(authorization)?.[1] ?? authorization
const empty = sha256Hex('')

describe('AWS Signature Version 4', () => {
  const suite = {
    service: 'service',
    region: 'us-east-1',
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
    now: Date.parse('2015-08-30T12:36:00Z'),
  }
  const headers = [
    ['Host', 'example.amazonaws.com'],
    ['X-Amz-Date', '20150830T123600Z'],
  ] as const

  it.each([
    ['get-vanilla', 'GET', '', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'post-vanilla',
      'POST',
      '',
      '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    ],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      'Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
  ])('gives the signature of the published suite for %s', (_, method, query, expected) => {
    const authorization = sigV4Authorization(
      { method, path: '/', query, headers, payloadHash: empty },
      suite,
    )
    expect(signature(authorization)).toBe(expected)
  })

  it('gives the signature of the worked example of the general reference', () => {
    const authorization = sigV4Authorization(
      {
        method: 'GET',
        path: '/',
        query: 'Action=ListUsers&Version=2010-05-08',
        headers: [
          ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
          ['host', 'iam.amazonaws.com'],
          ['x-amz-date', '20150830T123600Z'],
        ],
        payloadHash: empty,
      },
      { ...suite, service: 'iam' },
    )
    expect(authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    )
  })

  const s3 = {
    service: 's3',
    region: 'us-east-1',
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'),
    now: Date.parse('2013-05-24T00:00:00Z'),
  }
  const bucket = (payloadHash: string, more: readonly (readonly [string, string])[]) => [
    ['host', 'examplebucket.s3.amazonaws.com'] as const,
    ['x-amz-content-sha256', payloadHash] as const,
    ['x-amz-date', amzDate(s3.now)] as const,
    ...more,
  ]
  it.each([
    [
      'an object in part',
      'GET',
      '/test.txt',
      '',
      '',
      [['range', 'bytes=0-9']],
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'an upload',
      'PUT',
      '/test%24file.text',
      '',
      'Welcome to Amazon S3.',
      [
        ['date', 'Fri, 24 May 2013 00:00:00 GMT'],
        ['x-amz-storage-class', 'REDUCED_REDUNDANCY'],
      ],
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'a query without a value',
      'GET',
      '/',
      'lifecycle',
      '',
      [],
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
    [
      'a listing',
      'GET',
      '/',
      'max-keys=2&prefix=J',
      '',
      [],
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
  ] as const)(
    'gives the signature of the S3 reference for %s',
    (_, method, path, query, body, more, expected) => {
      const payloadHash = sha256Hex(body)
      const authorization = sigV4Authorization(
        { method, path, query, headers: bucket(payloadHash, more), payloadHash },
        s3,
      )
      expect(signature(authorization)).toBe(expected)
    },
  )
})
