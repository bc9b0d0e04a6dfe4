/**
 * A line is the flat list of stages that a request passes, read from top to bottom.
 *
 * The compiler checks the order: a stage names the facts that it needs, and a line that has not learned them does
 * not accept it. `forward` takes only a stage that needs a permit, and a permit is made by one stage alone. The
 * runner awaits only promises, so a line whose stages all answer at once costs no microtask.
 */
import type { Direction, Exchange } from './exchange.ts'
import { learn } from './exchange.ts'
import type { Delivery, Observer, Outcome } from './outcome.ts'
import { asRefusal, UpstreamFault, Bug, type Refusal } from './refusal.ts'
import { replyTo } from './reply.ts'

/** One step of a line: a name, and a function from what is known to what it learns. It refuses by throwing. */
export interface Stage<Needs, Learns extends object> {
  readonly name: string
  /** True for the stage that makes the permit; every line has exactly one. */
  readonly permits?: true
  readonly run: (x: Exchange & Needs) => Learns | Promise<Learns>
}

/** The last step: passes the request on and reports once how that went. */
export interface Forward<Needs extends { readonly permit: object }> {
  readonly name: string
  readonly run: (x: Exchange & Needs, done: ForwardDone) => void
}

/** Called once: with the delivery, or with what went wrong. */
export type ForwardDone = (delivery: Delivery, failure?: Refusal) => void

/** Takes an exchange with its first facts and sees to it that it is answered and observed. Never throws. */
export type Handler<First> = (x: Exchange & First) => void

/** A line under construction that has learned the facts `F`, having started with `First`. */
export interface Line<First, F> {
  step<Learns extends object>(stage: Stage<F, Learns>): Line<First, F & Learns>
  observe(observer: Observer<F>): Line<First, F>
  forward(stage: F extends { readonly permit: object } ? Forward<F> : never): Handler<First>
}

/** What the runner is given instead of reading it from the world. */
export interface LineOptions {
  /** Wall clock in milliseconds since the epoch. */
  readonly now: () => number
  /** Told of every defect; the log's end of it. */
  readonly onBug: (x: Exchange, bug: Bug) => void
}

type AnyStage = Stage<unknown, object>
type AnyForward = Forward<{ readonly permit: object }>

/** Starts a line whose exchanges begin with the facts `First`. */
export const line = <First extends object>(
  direction: Direction,
  options: LineOptions,
): Line<First, First> => build<First, First>(direction, options, [], [])

const build = <First, F>(
  direction: Direction,
  options: LineOptions,
  stages: readonly AnyStage[],
  observers: readonly Observer<object>[],
): Line<First, F> => ({
  step: (stage) => build(direction, options, [...stages, stage as AnyStage], observers),
  observe: (observer) =>
    build(direction, options, stages, [...observers, observer as Observer<object>]),
  forward: (stage) => {
    const forward: AnyForward = stage as unknown as AnyForward
    const permits = stages.filter((each) => each.permits === true).length
    if (permits !== 1) {
      throw new Error(`the ${direction} line has ${permits} stages that make a permit, expected 1`)
    }
    return runner(options, stages, forward, observers)
  },
})

const nothingDelivered: Delivery = { status: undefined, requestBytes: 0, responseBytes: 0 }

const runner = (
  options: LineOptions,
  stages: readonly AnyStage[],
  forward: AnyForward,
  observers: readonly Observer<object>[],
): Handler<unknown> => {
  const conclude = (
    x: Exchange,
    stage: string,
    delivery: Delivery,
    refusal: Refusal | undefined,
  ) => {
    if (refusal instanceof Bug) options.onBug(x, refusal)
    const outcome: Outcome = {
      ...delivery,
      decision: refusal === undefined ? 'allow' : faulty(refusal) ? 'fault' : 'deny',
      refusal,
      stage,
      endedAt: options.now(),
    }
    for (const observer of observers) {
      try {
        observer(x, outcome)
      } catch (thrown) {
        options.onBug(x, new Bug(thrown))
      }
    }
  }

  const refuse = (x: Exchange, stage: string, thrown: unknown, delivery = nothingDelivered) => {
    const refusal = asRefusal(thrown)
    let status = delivery.status
    if (x.channel.responseStarted) x.channel.abort()
    else {
      const reply = replyTo(x, refusal)
      status = reply.status
      x.channel.send(reply)
    }
    conclude(x, stage, { ...delivery, status }, refusal)
  }

  const runForward = (x: Exchange) => {
    let concluded = false
    const done: ForwardDone = (delivery, failure) => {
      if (concluded) return
      concluded = true
      if (failure === undefined) conclude(x, forward.name, delivery, undefined)
      else refuse(x, forward.name, failure, delivery)
    }
    try {
      forward.run(x as never, done)
    } catch (thrown) {
      done(nothingDelivered, asRefusal(thrown))
    }
  }

  const runFrom = (x: Exchange, start: number): void => {
    for (let index = start; index < stages.length; index += 1) {
      const stage = stages[index]!
      try {
        const learned = stage.run(x)
        if (learned instanceof Promise) {
          learned.then(
            (facts) => {
              resumeAfter(x, stage.name, index, facts)
            },
            (thrown: unknown) => refuse(x, stage.name, thrown),
          )
          return
        }
        learn(x, learned)
      } catch (thrown) {
        refuse(x, stage.name, thrown)
        return
      }
    }
    runForward(x)
  }

  const resumeAfter = (x: Exchange, name: string, index: number, facts: object): void => {
    try {
      learn(x, facts)
    } catch (thrown) {
      refuse(x, name, thrown)
      return
    }
    runFrom(x, index + 1)
  }

  return (x) => runFrom(x, 0)
}

const faulty = (refusal: Refusal): boolean =>
  refusal instanceof UpstreamFault || refusal instanceof Bug
