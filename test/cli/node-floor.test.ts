import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeFault } from '../../src/cli/node-floor.ts'

const main = join(import.meta.dirname, '../../src/main.ts')

describe('the floor of Node', () => {
  it.each(['22.23.2', '22.24.0', '24.18.1', '24.21.0', '26.5.1', '26.10.0', '27.0.0'])(
    'takes %s',
    (version) => {
      expect(nodeFault(version, [])).toBeUndefined()
    },
  )

  it.each(['18.20.8', '20.20.2', '22.23.1', '23.11.1', '24.18.0', '25.9.0', '26.5.0', '26.4.9'])(
    'refuses %s and says which will do',
    (version) => {
      expect(nodeFault(version, [])?.message).toContain(version)
      expect(nodeFault(version, [])?.hint).toContain('26.5.1')
    },
  )

  it('refuses a lenient parser on any version', () => {
    expect(nodeFault('26.10.0', ['--insecure-http-parser'])?.message).toContain(
      '--insecure-http-parser',
    )
    expect(nodeFault('26.10.0', ['--insecure-http-parser=true'])).toBeDefined()
    expect(nodeFault('26.10.0', ['--max-http-header-size=1024'])).toBeUndefined()
  })
})

describe('a debugger', () => {
  it.each(['--inspect', '--inspect=0.0.0.0:9229', '--inspect-brk', '--inspect-wait=9229'])(
    'is refused: %s',
    (flag) => {
      expect(nodeFault('26.10.0', [flag])?.message).toContain(flag)
    },
  )

  it('is not seen in flags that only look like it', () => {
    expect(
      nodeFault('26.10.0', ['--inspect-publish-uid=stderr', '--enable-source-maps']),
    ).toBeUndefined()
  })
})

describe('the program', () => {
  const run = (words: readonly string[], options: string) =>
    spawnSync(process.execPath, [main, ...words], {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: options },
    })

  it('prints its version', () => {
    const { status, stdout } = run(['version'], '')
    expect(stdout).toMatch(/^sallyport \d/)
    expect(status).toBe(0)
  })

  it('does not start with a lenient parser', () => {
    const { status, stdout, stderr } = run(['version'], '--insecure-http-parser')
    expect(stderr).toMatch(/^sallyport: error: .*\nsallyport: hint: /)
    expect(stdout).toBe('')
    expect(status).toBe(1)
  })

  it('starts all the same when told to in a word that says unsafe', () => {
    const { status, stderr } = run(['version', '--unsafe-node'], '--insecure-http-parser')
    expect(stderr).toMatch(/^sallyport: warning: /)
    expect(status).toBe(0)
  })

  it('ends with 64 when the command line is wrong', () => {
    expect(run(['no-such-command'], '').status).toBe(64)
  })
})
